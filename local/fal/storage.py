"""Uploads and downloads: `POST /storage/upload/initiate`, `PUT` the bytes, then anyone may `GET /media/files/…`."""

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from local.fal.keys import Keys
from local.fal.media import ROUTE, Media, content_type

MAX_UPLOAD_BYTES = 100 * 1024 * 1024


def routes(media: Media, keys: Keys) -> list[Route]:
    async def initiate(request: Request) -> Response:
        if refused := keys.refusal(request):
            return refused
        try:
            wanted = await request.json()
            token, name = media.reserve(str(wanted["file_name"]), str(wanted["content_type"]))
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"detail": "file_name and content_type are required"}, 422)
        base = str(request.base_url).rstrip("/")
        return JSONResponse(
            {"upload_url": f"{base}/storage/upload/{token}/{name}", "file_url": f"{base}{ROUTE}/{token}/{name}"}
        )

    async def upload(request: Request) -> Response:
        target = media.upload_target(request.path_params["token"], request.path_params["name"])
        if target is None:
            return JSONResponse({"detail": "This upload was not initiated, or is done already"}, 403)
        part = target.with_name(target.name + ".part")
        size = 0
        try:
            with part.open("xb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > MAX_UPLOAD_BYTES:
                        return JSONResponse({"detail": "The file is larger than 100 MB"}, 413)
                    file.write(chunk)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return Response(status_code=200)

    async def download(request: Request) -> Response:
        found = media.find(request.path_params["token"], request.path_params["name"])
        if found is None:
            return JSONResponse({"detail": "Not found"}, 404)
        return FileResponse(
            found,
            media_type=content_type(found.name),
            headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=31536000, immutable"},
        )

    return [
        Route("/storage/upload/initiate", initiate, methods=["POST"]),
        Route("/storage/upload/{token}/{name}", upload, methods=["PUT"]),
        Route(ROUTE + "/{token}/{name}", download, methods=["GET", "HEAD"]),
    ]
