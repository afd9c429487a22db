"""Documents: uploaded, read in the background, cut, corrected and recalled, through the official SDK."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from contract_world import OTHER, Ask, World, running
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.formdata import FormFile
from huaweicloudsdkmetastudio import v1 as sdk
from pdf_maker import pdf

from visavis.api.services import documents
from visavis.api.services.segmenting import Segmenting
from visavis.store import records

_GUIDE = """# Visitors

## Opening hours

The museum opens at nine and closes at five. It is closed on Mondays.

## Tickets

A ticket is ten euros. Children under six pay nothing.
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("documents")) as opened:
        yield opened


@pytest.fixture
def library(world: World) -> str:
    return new_library(world)


def new_library(world: World, **more: Any) -> str:
    body = {"name": "Papers", "knowledge_type": "DOCUMENT", "language": "EN", **more}
    return str(world.do("create_knowledge_library", Ask(body=body))["knowledge_library_id"])


def upload(world: World, library: str, name: str = "guide.md", content: bytes | str = _GUIDE) -> str:
    raw = content.encode() if isinstance(content, str) else content
    ask = Ask(query={"knowledge_library_id": library}, files={"file": (name, raw)})
    return str(world.do("create_document", ask)["document_id"])


def shown(world: World, document_id: str) -> Any:
    return world.client.show_document_info(sdk.ShowDocumentInfoRequest(document_id=document_id))


def task(world: World, document_id: str) -> Any:
    """The document's task as soon as it has ended."""
    until = time.monotonic() + 60
    while (now := shown(world, document_id).document_task_info).task_status in ("WAITING", "PROCESSING"):
        assert time.monotonic() < until, now
    return now


def texts(world: World, document_id: str) -> list[tuple[str, str]]:
    assert task(world, document_id).task_status == "SUCCEED"
    page = world.client.list_document_segment(sdk.ListDocumentSegmentRequest(document_id=document_id))
    assert page.count == len(page.data)
    assert [one.text_index for one in page.data] == list(range(page.count))
    return [(one.title, one.text) for one in page.data]


def refused(world: World, name: str, ask: Ask) -> tuple[int, str]:
    answer = world.call(name, ask)
    return answer.status_code, answer.json().get("error_msg", "")


def stored_files(world: World) -> set[str]:
    return {path.name for path in (world.context.settings.data / "documents").iterdir()}


def test_a_document_goes_up_is_cut_and_comes_down_as_it_was(world: World, library: str, tmp_path: Path) -> None:
    path = tmp_path / "guide.md"
    path.write_text(_GUIDE)
    body = sdk.CreateDocumentRequestBody(file=FormFile(str(path)))
    made = world.client.create_document(sdk.CreateDocumentRequest(knowledge_library_id=library, body=body))
    assert (made.file_name, made.file_type, made.file_size) == ("guide.md", "md", len(_GUIDE))
    assert made.document_task_info.task_status == "WAITING"
    assert texts(world, made.document_id) == [
        (
            "Visitors / Opening hours",
            "The museum opens at nine and closes at five. It is closed on Mondays.",
        ),
        ("Visitors / Tickets", "A ticket is ten euros. Children under six pay nothing."),
    ]
    ended = task(world, made.document_id)
    assert (ended.task_process, ended.task_result, ended.fail_reason) == ("100", "2 segments", "")
    assert made.create_time <= ended.begin_time <= ended.end_time
    down: list[bytes] = []
    answer = world.client.download_document(sdk.DownloadDocumentRequest(document_id=made.document_id))
    answer.consume_download_stream(lambda response: down.append(response.content))
    assert down == [_GUIDE.encode()]
    shown_library = world.do("show_knowledge_library", Ask(path={"knowledge_library_id": library}))
    assert shown_library["knowledge_size"] == 1


def test_a_download_is_to_be_saved_whatever_it_is(world: World, library: str) -> None:
    document_id = upload(world, library, "..\\folder/手册.html", "<script>alert(1)</script><p>Hello.</p>")
    answer = world.call("download_document", Ask(path={"document_id": document_id}))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''%E6%89%8B%E5%86%8C.html"
    assert texts(world, document_id) == [("", "Hello.")]


def test_cutting_by_hand_is_previewed_set_and_started(world: World, library: str) -> None:
    document_id = upload(world, library, "list.txt", "one; two; three\n\nfour; five")
    by_hand = sdk.DocumentSegmentParam(split_type=2, chunk_type="separator", separators=[";"], chunk_size=50)
    request = sdk.PreviewDocumentSegmentRequest(document_id=document_id, preview_lines=3, body=by_hand)
    preview = world.client.preview_document_segment(request)
    assert [one.text for one in preview.body] == ["one;", "two;", "three\n\nfour;"]
    assert texts(world, document_id) == [("", "one; two; three\nfour; five")], "a preview changes nothing"
    change = sdk.UpdateDocumentSegmentParamRequest(document_id=document_id, body=by_hand)
    world.client.update_document_segment_param(change)
    assert (shown(world, document_id).split_type, shown(world, document_id).separators) == (2, [";"])
    start = sdk.StartDocumentSegmentTaskReq(document_id=document_id)
    world.client.start_document_segment(sdk.StartDocumentSegmentRequest(body=start))
    assert [text for _, text in texts(world, document_id)] == ["one;", "two;", "three\n\nfour;", "five"]


def test_separators_are_needed_where_they_are_to_be_used(world: World, library: str) -> None:
    ask = Ask(
        path={"document_id": upload(world, library)},
        body={"split_type": 2, "chunk_type": "title,separator", "separators": []},
    )
    status, message = refused(world, "update_document_segment_param", ask)
    assert (status, "separators" in message) == (400, True)


def test_segments_are_corrected_and_moved(world: World, library: str) -> None:
    document_id = upload(world, library)
    before = texts(world, document_id)
    page = world.client.list_document_segment(sdk.ListDocumentSegmentRequest(document_id=document_id, limit=1))
    assert (page.count, len(page.data)) == (2, 1)
    first = page.data[0].id
    body = sdk.UpdateDocumentSegmentReq(document_id=document_id, id=first, text_index=1, text="Opens at ten.")
    world.client.update_document_segment_info(sdk.UpdateDocumentSegmentInfoRequest(body=body))
    assert texts(world, document_id) == [before[1], (before[0][0], "Opens at ten.")]
    for wrong, status in (({"id": "nobody"}, 404), ({"text_index": 2}, 400), ({"document_id": "nobody"}, 404)):
        ask = Ask(body={"document_id": document_id, "id": first, "text": "x", **wrong})
        assert refused(world, "update_document_segment_info", ask)[0] == status, wrong
    world.do("start_document_segment", Ask(body={"document_id": document_id}))
    assert texts(world, document_id) == before, "reading anew replaces what was corrected"


def test_another_file_takes_the_place_of_the_first(world: World, library: str) -> None:
    document_id = upload(world, library)
    task(world, document_id)
    files = stored_files(world)
    world.do("update_document", Ask(path={"document_id": document_id}, files={"file": ("b.csv", b"a,b\n1,2\n3,4\n")}))
    assert texts(world, document_id) == [("", "a: 1\nb: 2\na: 3\nb: 4")]
    now = shown(world, document_id)
    assert (now.file_name, now.file_type, now.file_size) == ("b.csv", "csv", 12)
    assert len(stored_files(world) - files) == len(files - stored_files(world)) == 1, "the first file is gone"
    world.do("update_document", Ask(path={"document_id": document_id}, files={"file": ("c.txt", b"\0")}))
    assert task(world, document_id).task_status == "FAILED"
    assert world.do("list_document_segment", Ask(query={"document_id": document_id}))["count"] == 0


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("paper.doc", b"text", 400),
        ("noname", b"text", 400),
        ("empty.txt", b"", 400),
        ("large.txt", b"x" * (documents.MAX_BYTES + 1), 413),
    ],
)
def test_what_is_not_taken(world: World, library: str, name: str, content: bytes, status: int) -> None:
    files = stored_files(world) if (world.context.settings.data / "documents").exists() else set()
    ask = Ask(query={"knowledge_library_id": library}, files={"file": (name, content)})
    assert refused(world, "create_document", ask)[0] == status
    assert world.do("list_document_info", Ask(query={"knowledge_library_id": library}))["count"] == 0
    assert not stored_files(world) - files


def test_a_file_larger_than_other_requests_may_be_is_taken(world: World, library: str) -> None:
    line = "All work and no play makes a dull day. "
    document_id = upload(world, library, "long.txt", (line * 25 + "\n") * 1100)
    assert shown(world, document_id).file_size > world.context.settings.max_body_bytes
    assert task(world, document_id).task_result == "3300 segments"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.docx", b"PK no archive", "no DOCX"),
        ("b.txt", b"\x00\x01\x02", "characters cannot be read"),
        ("c.html", b"<script>only()</script>", "no text"),
        ("d.pdf", b"%PDF-1.7 and nothing else", "no PDF"),
        ("e.pdf", pdf([[], []]), "scanned"),
    ],
)
def test_what_cannot_be_read_says_why(world: World, library: str, name: str, content: bytes, reason: str) -> None:
    ended = task(world, upload(world, library, name, content))
    assert (ended.task_status, reason in ended.fail_reason) == ("FAILED", True), ended


def test_word_files_are_read(world: World, library: str) -> None:
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = (
        '<w:p><w:pPr><w:pStyle w:val="1"/></w:pPr><w:r><w:t>Hours</w:t></w:r></w:p>'
        '<w:p><w:r><w:t xml:space="preserve">We open </w:t></w:r><w:r><w:t>at nine.</w:t></w:r></w:p>'
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Monday</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>closed</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    )
    style = '<w:style w:styleId="1"><w:name w:val="heading 1"/></w:style>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("word/document.xml", f"<w:document {w}><w:body>{body}</w:body></w:document>")
        archive.writestr("word/styles.xml", f"<w:styles {w}>{style}</w:styles>")
    document_id = upload(world, library, "hours.docx", packed.getvalue())
    assert texts(world, document_id) == [("Hours", "We open at nine.\nMonday | closed")]


def test_pdf_files_are_read_and_recalled(world: World) -> None:
    """In Chinese and in English: a sentence that runs over a line and a page is found by a question."""
    pages = [
        ["Museum guide", "第一章 开放时间", "博物馆早上九点开门，下午五点关", "门。星期一闭馆。", "1"],
        ["Museum guide", "Chapter 2: Dogs", "Dogs and other ani-", "mals have to wait outside, where", "2"],
        ["Museum guide", "there is water for them.", "3"],
    ]
    library = new_library(world, language="CN")
    document_id = upload(world, library, "guide.pdf", pdf(pages))
    assert texts(world, document_id) == [
        ("第一章 开放时间", "博物馆早上九点开门，下午五点关门。星期一闭馆。"),
        ("Chapter 2: Dogs", "Dogs and other animals have to wait outside, where there is water for them."),
    ]
    assert shown(world, document_id).file_type == "pdf"
    for question, sentence in (
        ("博物馆几点开门？", "早上九点开门"),
        ("Where do animals have to wait?", "wait outside"),
    ):
        asked = sdk.RecallKnowledgeLibraryRequestBody(
            knowledge_library_id=library, knowledge_type="DOCUMENT", query=question
        )
        request = sdk.CheckRecallKnowledgeLibraryRequest(body=asked)
        best = world.client.check_recall_knowledge_library(request).body[0]
        assert (best.document_id, sentence in best.content) == (document_id, True)


def test_a_locked_pdf_file_says_so_and_its_replacement_is_read(world: World, library: str) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["We open at nine."]])))
    writer.encrypt("secret", algorithm="AES-256")
    locked = io.BytesIO()
    writer.write(locked)
    document_id = upload(world, library, "hours.pdf", locked.getvalue())
    assert "encrypted" in task(world, document_id).fail_reason
    files = {"file": ("hours.pdf", pdf([["We open at nine."]]))}
    world.do("update_document", Ask(path={"document_id": document_id}, files=files))
    assert texts(world, document_id) == [("", "We open at nine.")]


def test_only_libraries_of_documents_take_documents(world: World) -> None:
    other = new_library(world, knowledge_type="QUESTION_ANSWER")
    files = {"file": ("a.txt", b"text")}
    assert refused(world, "create_document", Ask(query={"knowledge_library_id": other}, files=files))[0] == 400
    assert refused(world, "create_document", Ask(query={"knowledge_library_id": "nobody"}, files=files))[0] == 404
    pair = {"knowledge_library_id": new_library(world), "question": "q", "answer": "a"}
    assert refused(world, "create_question_answer", Ask(body=pair))[0] == 400


def test_deleting_leaves_nothing_behind(world: World, library: str) -> None:
    one, two = upload(world, library), upload(world, library)
    task(world, two)
    before = stored_files(world)
    world.do("delete_document", Ask(body=[one, "unknown"]))
    assert len(before - stored_files(world)) == 1
    assert refused(world, "download_document", Ask(path={"document_id": one}))[0] == 404
    assert refused(world, "list_document_segment", Ask(query={"document_id": one}))[0] == 404
    world.do("delete_knowledge_library", Ask(body=[library]))
    assert len(before - stored_files(world)) == 2
    assert refused(world, "show_document_info", Ask(path={"document_id": two}))[0] == 404
    left = world.run(records.count_of(world.context.database, "p1", documents.SEGMENTS, records.Filter(library)))
    assert left == 0


def test_what_a_restart_interrupted_is_taken_up(world: World, library: str) -> None:
    document_id = upload(world, library)
    task(world, document_id)

    def interrupted(record: records.Record) -> records.Record:
        begun = {**record.document["document_task_info"], "task_status": "PROCESSING", "end_time": ""}
        return records.replace(record, document={**record.document, "document_task_info": begun})

    database = world.context.database
    world.run(records.update_record(database, "p1", documents.DOCUMENT, document_id, interrupted, time.time()))
    assert shown(world, document_id).document_task_info.task_status == "PROCESSING"
    world.run(world.context.segmenting.resume(world.context))
    assert task(world, document_id).task_status == "SUCCEED"


def test_reading_has_an_end(world: World, library: str) -> None:
    document_id = upload(world, library)
    task(world, document_id)
    record = world.run(records.get(world.context.database, "p1", documents.DOCUMENT, document_id))
    impatient = Segmenting(timeout_s=0.0)
    read = impatient.read(world.context.settings.data, record.document, documents.rule_of(record.document))
    with pytest.raises(Exception, match="took longer"):
        world.run(read)


def test_third_party_users_see_their_own(world: World, library: str) -> None:
    document_id = upload(world, library)
    with pytest.raises(ClientRequestException) as error:
        world.client.show_document_info(sdk.ShowDocumentInfoRequest(document_id=document_id, x_app_user_id="somebody"))
    assert error.value.status_code == 404
    answer = world.call("download_document", Ask(path={"document_id": document_id}), project=OTHER)
    assert answer.status_code == 404
