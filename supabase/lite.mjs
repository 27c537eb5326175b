// Supabase Lite in front of one PostgreSQL database, made to answer as Supabase does.
//
//   node supabase/lite.mjs --prepare   create the schemas auth, storage and supabase_migrations, then end
//   node supabase/lite.mjs             serve on 127.0.0.1:PORT until SIGTERM
//
// Environment: PORT, DATABASE_URL, SITE_URL, SUPABASE_JWT_SECRET, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY,
// EXPERIMENTAL_STORAGE=1, DO_NOT_TRACK=1, CONFIRM_ADDRESSES (1: nobody signs in before they opened a link). Objects are stored under supabase/.temp/storage of the working directory.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { createApi } from "@supabase/lite/cli";
import { answerAsSupabase, mendConnection } from "./compatibility.mjs";
import { Mailbox } from "./mailbox.mjs";

const config = fileURLToPath(new URL("config.toml", import.meta.url));
const root = fileURLToPath(new URL("..", import.meta.url));
const mailbox = new Mailbox();
const api = await createApi();
const local = api.project.local;
const getConfig = local.getConfig.bind(local);
local.getConfig = async (path) => {
  const settings = await getConfig(path);
  settings.auth.email.enable_confirmations = process.env.CONFIRM_ADDRESSES === "1"; // its mails only go to its log and its page
  // The paths of templates are relative to the repository for the Supabase CLI, and to where it runs for Lite.
  for (const template of Object.values(settings.auth.email.template)) template.content_path = resolve(root, template.content_path);
  settings.options = { ...settings.options, drivers: { email: mailbox } };
  return settings;
};
// admin: otherwise a request without any key is served as service_role
const app = await local.createApp(config, { admin: false });

if (process.argv.includes("--prepare")) {
  await app.ensureSystemSchema();
  await app.connection.close();
} else {
  mendConnection(app.connection);
  const fetch = (request, { incoming }) => {
    const peerAddress = incoming.socket.remoteAddress ?? null;
    return mailbox.answer(request) ?? answerAsSupabase(request, (asked) => app.fetch(asked, { peerAddress }));
  };
  const server = serve({ fetch, hostname: "127.0.0.1", port: Number(process.env.PORT) });
  process.once("SIGTERM", () => {
    server.close(async () => {
      await app.connection.close();
      process.exit(0);
    });
    server.closeIdleConnections();
  });
}
