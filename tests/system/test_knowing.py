"""A real job whose robot knows libraries: what it says, where it has that from, and what it does not answer."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.http.formdata import FormFile
from huaweicloudsdkmetastudio.v1 import model
from pdf_maker import pdf
from running import Cloud, Guest, RunningServer, guest, serving

from visavis.dialogue import phrases
from visavis.settings import Settings
from visavis.store import erasing

sys.path.append(str(Path(__file__).parents[1] / "api"))

from bucket_server import BUCKET, BucketServer, bucket_server

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

GUIDE = """# Visiting
The museum has three floors. Dogs must stay outside. The café on the roof serves lunch until three o'clock.

# Tours
Guided tours start every day at eleven at the main entrance.
"""


@pytest.fixture(scope="module")
def store() -> Iterator[BucketServer]:
    with bucket_server() as server:
        yield server


@pytest.fixture(scope="module")
def museum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("knowing")
    (folder / "words.txt").write_text("dragon\n", "utf-8")
    audit = json.dumps({"en": str(folder / "words.txt")})
    with serving(folder / "data", workers="1", warm_answers="false", audit_words=audit) as server:
        yield server


def reported(server: RunningServer, store: BucketServer) -> Cloud:
    """A new project whose conversations are written down."""
    cloud = server.cloud(f"project-{uuid.uuid4().hex[:8]}")
    erasing.set_bucket(Settings(data=server.data), store.store(cloud.project), BUCKET)
    body = model.CreateDialogReportConfigReq(
        enable_dialog_report=True, obs_bucket_name=BUCKET, obs_endpoint=store.endpoint
    )
    cloud.sdk.create_dialog_report_config(model.CreateDialogReportConfigRequest(body=body))
    return cloud


def library(cloud: Cloud, name: str, kind: str) -> str:
    body = model.CreateKnowledgeLibraryReq(name=name, knowledge_type=kind, language="EN")
    made = cloud.sdk.create_knowledge_library(model.CreateKnowledgeLibraryRequest(body=body))
    return str(made.knowledge_library_id)


def pair(cloud: Cloud, library_id: str, question: str, answer: str) -> None:
    body = model.CreateQuestionAnswerReq(knowledge_library_id=library_id, question=question, answer=answer)
    cloud.sdk.create_question_answer(model.CreateQuestionAnswerRequest(body=body))


def uploaded(cloud: Cloud, library_id: str, path: Path) -> str:
    """The document's id, once it is segmented; each look is a request of its own."""
    body = model.CreateDocumentRequestBody(file=FormFile(str(path)))
    request = model.CreateDocumentRequest(knowledge_library_id=library_id, body=body)
    made = cloud.sdk.create_document(request).document_id
    while True:
        shown = cloud.sdk.show_document_info(model.ShowDocumentInfoRequest(document_id=made))
        status = shown.document_task_info.task_status
        assert status != "FAILED", shown.document_task_info.fail_reason
        if status == "SUCCEED":
            return str(made)


def robot(cloud: Cloud, **libraries: str) -> str:
    """It has no language model, and its questions are audited."""
    chosen = [
        model.RoleKnowledgeLibraryReq(knowledge_type=kind, knowledge_library_id_list=[one])
        for kind, one in libraries.items()
    ]
    role = model.CreateRoleReq(
        name="Guide",
        description="",
        llm_source="DEEP_SEEK",
        role_business_list=[model.RoleBusinessReq(language="EN", prompt="", knowledge_library_list=chosen)],
    )
    role_id = cloud.sdk.create_role(model.CreateRoleRequest(body=role)).role_id
    return cloud.robot(wise_brain_config=model.WiseBrainConfig(role_id=role_id), enable_question_audit=True)


async def answered(visitor: Guest, question: str, *, heard_out: bool = True) -> str:
    visitor.tell("send-text", content=question)
    said = await visitor.until("bot-output", lambda data: data["aggregated_by"] == "sentence")
    if heard_out:
        await visitor.until("bot-stopped-speaking")
    return str(said["text"])


async def report(store: BucketServer, job_id: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while not (keys := [key for key in await asyncio.to_thread(store.keys) if job_id in key]):
            pass
    _, *turns = await asyncio.to_thread(store.lines, keys[0])
    return turns


async def test_answers_from_libraries_are_cited_and_refused_questions_are_not_kept(
    museum: RunningServer, store: BucketServer, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text(GUIDE, "utf-8")

    def made() -> tuple[Cloud, str, str]:
        cloud = reported(museum, store)
        pairs = library(cloud, "Visitors", "QUESTION_ANSWER")
        pair(cloud, pairs, "How much is a ticket?", "A ticket costs twelve euros.")
        documents = library(cloud, "Guide", "DOCUMENT")
        uploaded(cloud, documents, tmp_path / "guide.md")
        return cloud, pairs, cloud.room(robot_id=robot(cloud, QUESTION_ANSWER=pairs, DOCUMENT=documents))

    cloud, pairs, room_id = await asyncio.to_thread(made)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        assert await answered(visitor, "What does a ticket cost?") == "A ticket costs twelve euros."
        assert "café" in await answered(visitor, "Where can I have lunch?")
        assert await answered(visitor, "Tell me about the d-r-a-g-o-n") == phrases.REFUSED["en"]
    told = json.dumps(visitor.log)
    assert "What does a ticket cost?" in told
    assert "d-r-a-g-o-n" not in told
    ticket, lunch, refused = await report(store, visitor.job.job_id)
    assert ticket["citations"] == ["Visitors / How much is a ticket?"]
    (cited,) = lunch["citations"]
    assert cited.startswith("Guide / guide.md #1")
    assert (refused["refused"], refused["asked"], refused["citations"]) == (True, "", [])
    assert (ticket["refused"], lunch["refused"]) == (False, False)

    await asyncio.to_thread(pair, cloud, pairs, "Is there a cloakroom?", "The cloakroom is beside the stairs.")
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        assert await answered(visitor, "Do you have a cloakroom?") == "The cloakroom is beside the stairs."


@dataclass(frozen=True)
class Format:
    """A file of that name, and what only it knows."""

    name: str
    content: bytes
    question: str
    fact: str


def formats() -> list[Format]:
    """One of each kind, as an office would have them."""
    word = io.BytesIO()
    paragraphs = "".join(
        f"<w:p>{style}<w:r><w:t>{text}</w:t></w:r></w:p>"
        for style, text in (
            ('<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>', "Parking"),
            ("", "Visitors park their cars in the garage on Mill Lane. The first two hours of parking are free."),
        )
    )
    with zipfile.ZipFile(word, "w") as archive:
        archive.writestr(
            "word/document.xml",
            '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
            f"<w:body>{paragraphs}</w:body></w:document>",
        )
    page = """<!doctype html><title>Library</title><script>var hidden = "the wifi password";</script>
<h1>Reading room</h1><p>The reading room lends <b>headphones</b> against a deposit of ten euros.</p>"""
    table = "Room,Seats,Projector\nAmber room,40,yes\nIvory room,12,no\n"
    return [
        Format("wifi.pdf", pdf([["Internet access", "The wifi network for guests is called OpenHarbour.",
                                 "Everybody may use the wifi without a password."]]), "What is the wifi network called?", "OpenHarbour"),
        Format("parking.docx", word.getvalue(), "Where can I park my car?", "Mill Lane"),
        Format("lockers.md", b"# Lockers\n\nThe **lockers** stand behind the [ticket desk](https://example.org/?a=1). "
               b"A locker takes a *one-euro* coin.\n\n```sh\nopen --locker 7\n```\n", "Where are the lockers?", "ticket desk"),
        Format("reading.html", page.encode(), "What is the deposit for headphones?", "ten euros"),
        Format("accessibility.txt", b"Wheelchairs can be borrowed at the north entrance. Please book a wheelchair one day ahead.\n",
               "Where can I borrow a wheelchair?", "north entrance"),
        Format("rooms.csv", table.encode(), "How many seats does the Ivory room have?", "12"),
    ]  # fmt: skip


async def test_documents_of_every_format_are_quoted_and_cited(
    museum: RunningServer, store: BucketServer, tmp_path: Path
) -> None:
    """Imported, segmented, previewed, recalled, asked for, and cited: each knows what no other does."""
    files = formats()
    for one in files:
        (tmp_path / one.name).write_bytes(one.content)

    def made() -> tuple[Cloud, str]:
        cloud = reported(museum, store)
        documents = library(cloud, "House", "DOCUMENT")
        for one in files:
            stored = uploaded(cloud, documents, tmp_path / one.name)
            cut = model.DocumentSegmentParam(split_type=1)
            previewed = cloud.sdk.preview_document_segment(
                model.PreviewDocumentSegmentRequest(document_id=stored, preview_lines=9, body=cut)
            )
            listed = cloud.sdk.list_document_segment(model.ListDocumentSegmentRequest(document_id=stored))
            for segments in (previewed.body, [segment.text for segment in listed.data]):
                text = " ".join(map(str, segments))
                assert one.fact in text, one.name
                assert not re.search("<|hidden", text), "text, and no markup"
        for one in files:
            asked = model.RecallKnowledgeLibraryRequestBody(
                knowledge_library_id=documents, knowledge_type="DOCUMENT", query=one.question, topk=1
            )
            found = cloud.sdk.check_recall_knowledge_library(model.CheckRecallKnowledgeLibraryRequest(body=asked)).body
            assert [hit.file_name for hit in found] == [one.name]
        return cloud, cloud.room(robot_id=robot(cloud, DOCUMENT=documents))

    cloud, room_id = await asyncio.to_thread(made)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        for one in files:
            said = await answered(visitor, one.question, heard_out=one is files[-1])
            assert one.fact in said, (one.name, said)
            assert not re.search(r"[*`<>]|https?:|--locker", said), said
    turns = await report(store, visitor.job.job_id)
    assert [turn["asked"] for turn in turns] == [one.question for one in files]
    for turn, one in zip(turns, files, strict=True):
        (cited,) = turn["citations"]
        assert re.match(rf"House / {one.name} #\d", cited), cited
