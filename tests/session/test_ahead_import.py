"""From a call of the API to sound in the cache, with a real dispatcher and a real worker process, and no job."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import httpx

sys.path.append(str(Path(__file__).parents[1] / "api"))

from control_server import CATALOGUE, HOST, Clock, Server

from visavis.api.app import create_app
from visavis.dispatch.local import LocalDispatcher
from visavis.settings import Settings


async def test_what_is_imported_is_spoken_into_the_cache_before_anybody_comes(tmp_path: Path) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.setblocking(False)
    told.bind(str(tmp_path / "told"))
    (tmp_path / "installed.yaml").write_text(
        "format: visavis-knowledge\nversion: 1\nentries:\n"
        '  - {id: a, questions: {en: ["Who?"]}, answers: {en: "Of the installation."}}\n'
    )
    settings = Settings(
        data=tmp_path / "data",
        workers=1,
        worker_timeout_s=4.0,
        project_rate=0,
        knowledge=[tmp_path / "installed.yaml"],
        stt_options={"told": str(tmp_path / "told")},
    )
    dispatcher = LocalDispatcher(settings, session_host="import_host:create_host")
    app = create_app(settings, dispatcher, CATALOGUE)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("127.0.0.1", 1)), base_url=f"http://{HOST}"
        ) as http,
    ):
        server = Server(app, http, dispatcher, Clock(), settings)  # type: ignore[arg-type]
        server.clock.now = app.state.context.clock()
        app.state.context.warming._quiet_s = 0.0
        await server.project("p1")

        async def spoken(text: str) -> None:
            async with asyncio.timeout(60):
                while (await asyncio.get_running_loop().sock_recv(told, 65536)).decode() != text:
                    pass

        await spoken("default: Of the installation.")
        library = {"name": "Visitors", "knowledge_type": "QUESTION_ANSWER", "language": "EN"}
        made = await server.call("POST", "/wise-brain-manager/knowledge-library", library)
        library_id = made.json()["knowledge_library_id"]
        chosen = [{"knowledge_type": "QUESTION_ANSWER", "knowledge_library_id_list": [library_id]}]
        business = [{"language": "EN", "prompt": "", "knowledge_library_list": chosen}]
        role = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": business}
        role_id = (await server.call("POST", "/wise-brain-manager/role", role)).json()["role_id"]
        robot = await server.robot(wise_brain_config={"role_id": role_id}, language="EN")
        voice = {"voice_asset_id": "en-amy", "language": "EN"}
        await server.room(robot_id=robot, voice_config_list=[voice])
        pair = {"knowledge_library_id": library_id, "question": "When?", "answer": "From nine to five."}
        answer = await server.call("POST", "/wise-brain-manager/question-answer", pair)
        assert answer.status_code == 200, answer.text
        await spoken("en-amy: From nine to five.")

        async with asyncio.timeout(30):  # the worker says how far it is with its next sign of life
            while True:
                lines = dict(
                    line.rsplit(" ", 1) for line in (await http.get("/metrics")).text.splitlines() if "ahead" in line
                )
                made_of = [lines[f'visavis_ahead_sentences{kind}{{worker="worker-1"}}'] for kind in ("_made", "")]
                if made_of[0] == made_of[1] != "0.0":
                    break
                await asyncio.sleep(0)
    told.close()
