"""`make demo`: everything that a new user does, in one go, each command shown before it runs.

Starts the platform, logs in, pushes examples/shop with a real `git push`, sends it traffic, and
shows its records. It can be run again and again.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SHOP = ROOT / "examples" / "shop"
_SECONDS_OF_TRAFFIC = 5
_RECORDS_PATIENCE_S = 10.0


def main() -> int:
    """Run the demo; return the exit status."""
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    os.chdir(ROOT)
    log_in(start())
    url = push()
    traffic(url)
    show(url)
    return 0


def start() -> str | None:
    """Have the platform up; return the first password, where this was the first start."""
    if run(["kurama", "status"], check=False, quiet=True).returncode == 0:
        say("Kurama is up already.")
        return None
    done = run(["kurama", "up"], capture=True)
    found = re.search(r"e-mail\s+(\S+)\s+password\s+(\S+)", done.stdout)
    print(done.stdout.rstrip())
    if found is None:
        return None
    os.environ["DEMO_EMAIL"] = found[1]
    return found[2]


def log_in(password: str | None) -> None:
    """Log in with the first password, unless somebody is logged in."""
    if password:
        email = os.environ["DEMO_EMAIL"]
        server = _server()
        command = ["kurama", "login", server, "--email", email, "--password-stdin"]
        run(command, stdin=password + "\n")
    elif run(["kurama", "whoami"], check=False, quiet=True).returncode != 0:
        sys.exit(
            "Kurama was started before, and nobody is logged in here: run `kurama login`, then "
            "`make demo` again."
        )


def push() -> str:
    """Commit the shop to a repository of its own and push it; return its address."""
    folder = _home() / "demo" / "shop"
    if not (folder / ".git").exists():
        shutil.copytree(SHOP, folder, dirs_exist_ok=True)
        run(["git", "init", "--quiet", "--initial-branch=main"], cwd=folder)
    shutil.copytree(SHOP, folder, dirs_exist_ok=True)
    run(["git", "add", "--all"], cwd=folder)
    author = ["-c", "user.name=Demo", "-c", "user.email=demo@localhost"]
    message = ["commit", "--quiet", "--allow-empty", "--message", "The tea shop"]
    run(["git", *author, *message], cwd=folder, shown=["git", *message])
    if "shop" not in {app["name"] for app in json.loads(output(["kurama", "apps", "--json"]))}:
        run(["git", "remote", "remove", "kurama"], cwd=folder, check=False, quiet=True)
        run(["kurama", "create", "shop"], cwd=folder)
    run(["git", "push", "kurama", "main"], cwd=folder)
    apps = json.loads(output(["kurama", "apps", "--json"]))
    return str(next(app["url"] for app in apps if app["name"] == "shop"))


def traffic(url: str) -> None:
    """Send visitors."""
    say(
        f"Sending {_SECONDS_OF_TRAFFIC} seconds of visitors to {url}; at times it is slow or fails."
    )
    reqsim = [sys.executable, "reqsim.py", "--url", url, "--rate", "40", "--seed", "7"]
    run([*reqsim, "--duration", str(_SECONDS_OF_TRAFFIC)], shown=["python3", *reqsim[1:]])


def show(url: str) -> None:
    """Show the records that came of it, and where to look."""
    deadline = time.monotonic() + _RECORDS_PATIENCE_S
    while not json.loads(output(["kurama", "logs", "-a", "shop", "-n", "1", "--json"])):
        if time.monotonic() > deadline:
            sys.exit("No record has arrived: `kurama status` shows which part is at fault.")
        time.sleep(0.2)
    run(["kurama", "logs", "-a", "shop", "-n", "8"])
    run(["kurama", "ps", "-a", "shop"])
    print(
        f"\nThe shop is at          {url}\n"
        f"Kurama's interface is   {_server()}\n\n"
        "Try:  source .venv/bin/activate\n"
        "      kurama logs -a shop --tail\n"
        "      kurama scale -a shop web=2\n"
        "      kurama releases -a shop\n"
        "      make down\n"
    )


def _server() -> str:
    import server.settings

    return server.settings.load().interface_url


def _home() -> Path:
    import server.settings

    return server.settings.load().home


def say(text: str) -> None:
    """Tell what comes."""
    print(f"\n\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def output(command: Sequence[str]) -> str:
    """What a command prints."""
    return run(command, capture=True, quiet=True).stdout


def run(
    command: Sequence[str],
    *,
    cwd: Path = ROOT,
    check: bool = True,
    capture: bool = False,
    quiet: bool = False,
    stdin: str | None = None,
    shown: Sequence[str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Show a command and run it; end the demo where it fails and `check` asks."""
    if not quiet:
        say(f"$ {shlex.join(shown or command)}")
    done = subprocess.run(
        command,
        cwd=cwd,
        check=False,
        text=True,
        input=stdin,
        stdout=subprocess.PIPE if capture or quiet else None,
        stderr=subprocess.PIPE if quiet else None,
    )
    if check and done.returncode:
        sys.exit(f"`{shlex.join(command)}` ended with status {done.returncode}")
    return done


if __name__ == "__main__":
    sys.exit(main())
