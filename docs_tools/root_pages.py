"""A hook of MkDocs: CHANGELOG.md and CONTRIBUTING.md, which stand in the project's root, as pages of the site."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
LINKS = {"](docs/": "](", **{f"]({name})": f"]({page})" for page, name in PAGES.items()}}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = Path(config.config_file_path).parent
    for page, name in PAGES.items():
        text = (root / name).read_text(encoding="utf-8")
        for link, link_in_site in LINKS.items():
            text = text.replace(link, link_in_site)
        files.append(File.generated(config, page, content=text))
    return files
