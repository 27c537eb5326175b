-- The catalogue: what can be generated, for how many credits, at which price of fal.ai.

create table public.generation_types (
  generation_type text primary key check (generation_type ~ '^[a-z0-9_]+$'),
  label text not null check (length(label) between 1 and 80),
  media_kind text not null check (media_kind in ('image', 'video', 'voice', '3d')),
  fal_endpoint text not null,
  credits int not null check (credits > 0),
  credit_unit text not null check (credit_unit in ('batch', 'image', 'second', 'request')),
  price_unit text not null,
  unit_price_usd numeric(12, 6) not null check (unit_price_usd > 0 and unit_price_usd < 'NaN'),
  price_source text not null default 'documented' check (price_source in ('documented', 'synced', 'manual')),
  price_synced_at timestamptz,
  average_units numeric(12, 6) check (average_units > 0 and average_units < 'NaN'),
  estimated_seconds int not null check (estimated_seconds > 0),
  default_params jsonb not null default '{}',
  enabled boolean not null default false,
  position int not null,
  updated_at timestamptz not null default now()
);
comment on table public.generation_types is 'The database half of the catalogue; inputs and rules are the other half, in the code.';
comment on column public.generation_types.credits is 'Credits per credit_unit.';
comment on column public.generation_types.unit_price_usd is 'USD per price_unit at fal.ai.';
comment on column public.generation_types.average_units is 'Billable units of a usual run, learnt from history where they cannot be known before.';
comment on column public.generation_types.estimated_seconds is 'What a run usually takes, learnt from history.';
create trigger touch_updated_at before update on public.generation_types
  for each row execute function private.touch_updated_at();

alter table public.generation_types enable row level security;
create policy "Everybody signed in reads the catalogue" on public.generation_types
  for select to authenticated using (true);
grant select on public.generation_types to authenticated, service_role;

insert into public.generation_types
  (position, generation_type, label, media_kind, fal_endpoint, credits, credit_unit, price_unit, unit_price_usd, estimated_seconds, enabled)
values
  (1, 'image_flux_schnell', 'Flux Schnell · fast draft', 'image', 'fal-ai/flux/schnell', 1, 'batch', 'megapixels', 0.003, 5, true),
  (2, 'image_flux_dev', 'Flux Dev · finer detail', 'image', 'fal-ai/flux/dev', 5, 'image', 'megapixels', 0.025, 12, true),
  (3, 'image_to_image_flux_dev', 'Flux Dev · from a picture', 'image', 'fal-ai/flux/dev/image-to-image', 5, 'image', 'megapixels', 0.025, 15, true),
  (4, 'image_hd', 'Nano Banana Pro · high quality', 'image', 'fal-ai/nano-banana-pro', 10, 'image', 'images', 0.15, 25, true),
  (5, 'first_frame', 'First frame · from references', 'image', 'fal-ai/nano-banana-pro/edit', 10, 'image', 'images', 0.15, 15, true),
  (6, 'render_highres', 'Clarity · upscale', 'image', 'fal-ai/clarity-upscaler', 8, 'image', 'megapixels', 0.03, 45, true),
  (7, 'model_2d_to_3d', 'Trellis · model from a picture', '3d', 'fal-ai/trellis', 15, 'request', 'generations', 0.02, 45, true),
  (8, 'video_luma', 'Luma Dream Machine', 'video', 'fal-ai/luma-dream-machine/image-to-video', 8, 'request', 'videos', 0.5, 120, true),
  (9, 'video_veo31_fast', 'Veo 3.1 Fast', 'video', 'fal-ai/veo3.1/fast/image-to-video', 2, 'second', 'seconds', 0.15, 120, true),
  (10, 'video_veo31_standard', 'Veo 3.1', 'video', 'fal-ai/veo3.1/image-to-video', 4, 'second', 'seconds', 0.4, 300, true),
  (11, 'voice_chatterbox', 'Chatterbox HD · change a voice', 'voice', 'resemble-ai/chatterboxhd/speech-to-speech', 2, 'request', 'compute seconds', 0.00125, 60, true),
  (12, 'ambient_elevenlabs', 'ElevenLabs · ambience and effects', 'voice', 'fal-ai/elevenlabs/sound-effects/v2', 1, 'request', 'seconds', 0.002, 30, true),
  (13, 'transcribe_whisper', 'Whisper · transcript and subtitles', 'voice', 'fal-ai/whisper', 1, 'request', 'compute seconds', 0.0008, 30, true);
