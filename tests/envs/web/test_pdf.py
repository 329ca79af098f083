"""PDF files as long documents: on the shelf `library`, found by page, whole in an export."""

from pathlib import Path

from murk.envs.web.build import Options, build
from murk.envs.web.export import export_wacz
from murk.envs.web.extract import extract
from murk.envs.web.importers import Raw, Skip
from murk.envs.web.snapshot import Snapshot


def pdf(pages: list[list[str]]) -> bytes:
    """A small PDF with lines of text on each page (PDF 1.4, Helvetica)."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = ["<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>"]
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for i, lines in enumerate(pages):
        shown = " ".join(f"({line}) Tj 0 -14 Td" for line in lines)
        stream = f"BT /F1 12 Tf 72 700 Td {shown} ET"
        font = "/Resources<</Font<</F1 3 0 R>>>>/MediaBox[0 0 612 792]"
        objects.append(f"<</Type/Page/Parent 2 0 R{font}/Contents {5 + 2 * i} 0 R>>")
        objects.append(f"<</Length {len(stream)}>>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF\n"
    return (body + f"xref\n0 {size}\n0000000000 65535 f \n{table}" + trailer).encode("latin-1")


def test_a_pdf_is_searched_by_page(tmp_path: Path) -> None:
    filler = ["Nothing of interest stands in this line of the yearly report."] * 20
    pages = [["Annual report of the harbour.", *filler], filler, ["The quay was lengthened to ninety metres.", *filler]]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "report 1.pdf").write_bytes(pdf(pages))
    (tmp_path / "docs" / "page.html").write_text("<p>The quay is old.</p>")
    build([tmp_path / "docs"], tmp_path / "out", Options(workers=1, base_url="https://docs.example/"))
    world = Snapshot.open(tmp_path / "out")
    (hit,) = world.search("quay lengthened", shelf="library").hits
    assert hit.url == "https://docs.example/report%201.pdf"
    assert hit.page == 3
    assert "lengthened to ninety metres" in hit.snippet
    assert world.search("annual harbour", shelf="library").hits[0].page == 1
    assert {found.page for found in world.search("quay").hits} == {3, None}
    assert world.page(hit.url).text.count("yearly report") == 60
    export_wacz(world, tmp_path / "out.wacz")
    again = build([tmp_path / "out.wacz"], tmp_path / "again", Options(workers=1))
    assert again.content_digest == world.info["content_digest"]
    assert Snapshot.open(tmp_path / "again").search("quay lengthened", shelf="library").hits == (hit,)


def test_forged_page_numbers_are_put_right() -> None:
    found = extract(Raw("https://a.example/", "word " * 20, "text/markdown", pages=(50, -3, 7, 7, 10**9)))
    assert not isinstance(found, Skip)
    assert found.pages == (0, 7, 50)
    many = extract(Raw("https://a.example/", "x" * 100_000, "text/markdown", pages=tuple(range(100_000))))
    assert not isinstance(many, Skip)
    assert len(many.pages) <= 5_000
