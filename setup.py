"""Puts the study files, which lie beside the package in a checkout, inside the package of a wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithStudies(build_py):
    """Copies `studies/**/*.yaml` to `ser_tune/studies/`."""

    def run(self) -> None:
        """Build the package, then copy; an editable install reads the checkout's own."""
        super().run()
        if self.editable_mode:
            return
        here = Path(__file__).parent
        for file in sorted((here / "studies").rglob("*.yaml")):
            target = Path(self.build_lib, "ser_tune", file.relative_to(here))
            self.mkpath(str(target.parent))
            self.copy_file(str(file), str(target))


setup(cmdclass={"build_py": BuildWithStudies})
