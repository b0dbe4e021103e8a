"""The documentation as a site: no warning, every link leads somewhere, nothing is loaded from elsewhere."""

import subprocess
import sys
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.blocks import ROOT


class Page(HTMLParser):
    """A page's links, what it loads, and the anchors that it has."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links, self.loaded, self.anchors = list[str](), list[str](), {""}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "index", "search", "next", "prev"):
            self.loaded.append(values["href"])
        elif "src" in values:
            self.loaded.append(values["src"])


class Site:
    """A built site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def pages(self) -> dict[Path, Page]:
        return {file: Page(file) for file in self.folder.rglob("*.html")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    pytest.importorskip("sphinx", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    program = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(folder / "trees")]
    built = [*program, "-c", "docs", ".", str(folder / "pages")]
    done = subprocess.run(built, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return Site(folder / "pages")


@pytest.mark.slow
def test_every_page_of_the_repository_is_a_page_of_the_site(site: Site) -> None:
    sources = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]
    expected = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in sources} | {"studies/README.html"}
    reached = {urlsplit(link).path for link in site.pages[site.folder / "README.html"].links}
    assert expected <= reached | {"README.html"}


@pytest.mark.slow
def test_every_link_of_the_site_leads_to_a_page_and_an_anchor_of_it(site: Site) -> None:
    broken = []
    for file, page in site.pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme:
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            anchors = site.pages[target].anchors if target in site.pages else {""}
            if not target.exists() or unquote(address.fragment) not in anchors:
                broken.append(f"{file.relative_to(site.folder)}: {link}")
    assert broken == []


@pytest.mark.slow
def test_no_page_loads_anything_from_another_place(site: Site) -> None:
    loaded = [(file, address) for file, page in site.pages.items() for address in page.loaded]
    assert len(loaded) > len(site.pages)
    assert [address for _, address in loaded if urlsplit(address).netloc] == []
    assert [address for file, address in loaded if not (file.parent / urlsplit(address).path).exists()] == []
