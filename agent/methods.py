"""The methods of the wire: params in, JSON out, around a runtime."""

import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent import wire
from agent.faults import Fault, FaultCode
from agent.runtime import Launch, Limits, LogFollower, Runtime
from agent.sandbox import options
from agent.sandbox.runtime import SandboxRuntime
from agent.serve import Emit, Method

Params = Mapping[str, Any]
_NAMES = frozenset(
    "hello preflight build start stop revive replicas listens logs drop_logs tail stats run "
    "prune remove shutdown".split()
)


class Methods:
    """Finds the method of a request; `hello` comes first and chooses the runtime."""

    def __init__(self, home: Path, socket: Path) -> None:
        self._home = home
        self._socket = socket
        self._chosen: Runtime | None = None
        self._follower: LogFollower | None = None

    def find(self, name: str) -> Method | None:
        """The method called `name`, or None."""
        return getattr(self, name) if name in _NAMES else None

    @property
    def _runtime(self) -> Runtime:
        if self._chosen is None:
            raise Fault(FaultCode.BAD_REQUEST, "The first request must be hello")
        return self._chosen

    def hello(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """Settle the version and the options; say what this worker can do."""
        if params.get("version") != wire.VERSION:
            raise Fault(
                FaultCode.WIRE_MISMATCH,
                f"This agent speaks version {wire.VERSION}, not {params.get('version')!r}",
                "Run the same version of Kurama on both ends.",
            )
        chosen = options.parse(params.get("options", {}))
        self._chosen = SandboxRuntime(self._home, self._socket, chosen)
        return {"version": wire.VERSION, **self._chosen.describe()}

    def preflight(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """app, context, environment → what would be built."""
        context = Path(params["context"])
        return self._runtime.preflight(params["app"], context, params["environment"])

    def build(self, params: Params, emit: Emit, stop: threading.Event) -> Any:
        """app, context, environment → the image; events: output."""
        image = self._runtime.build(
            params["app"],
            Path(params["context"]),
            params["environment"],
            lambda line: emit("output", line),
            stop,
        )
        return asdict(image)

    def start(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """The fields of Launch → the replicas."""
        launch = Launch(**{**params, "limits": Limits(**params["limits"])})
        return [asdict(replica) for replica in self._runtime.start(launch)]

    def stop(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """instances, wait → nothing; with wait, when they are gone."""
        self._runtime.stop(params["instances"], wait=params["wait"])

    def revive(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """instances → nothing."""
        self._runtime.revive(params["instances"])

    def replicas(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """app or nothing → the replicas."""
        return [asdict(replica) for replica in self._runtime.replicas(params.get("app"))]

    def listens(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """instance → whether it listens on its port."""
        return self._runtime.listens(params["instance"])

    def logs(self, params: Params, _emit: Emit, stop: threading.Event) -> Any:
        """cursors (to begin) or null (to go on), wait_s, most → chunks, maybe none.

        One at a time: it is asked again and again, so that whoever reads sets the pace.
        """
        if params["cursors"] is not None:
            if self._follower is not None:
                self._follower.close()
            self._follower = self._runtime.follow(params["cursors"])
        if self._follower is None:
            # A new agent in place of one that died: going on would begin everything again.
            raise Fault(FaultCode.BAD_REQUEST, "logs must begin with cursors")
        chunks = self._follower.read(params["wait_s"], params["most"], stop)
        return [asdict(chunk) for chunk in chunks]

    def drop_logs(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """instances → nothing."""
        self._runtime.drop_logs(params["instances"])

    def tail(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """instance, count → its last lines."""
        return self._runtime.tail(params["instance"], params["count"])

    def stats(self, _params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """Nothing → what each replica uses."""
        return [asdict(one) for one in self._runtime.stats()]

    def run(self, params: Params, emit: Emit, stop: threading.Event) -> Any:
        """image, app, command, environment, limits → the exit status; events: output."""
        return self._runtime.run(
            params["image"],
            params["app"],
            params["command"],
            params["environment"],
            Limits(**params["limits"]),
            lambda line: emit("output", line),
            stop,
        )

    def prune(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """app, keep → the references of the deleted images."""
        return self._runtime.prune(params["app"], params["keep"])

    def remove(self, params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """app → nothing, when all of it is gone."""
        self._runtime.remove(params["app"])

    def shutdown(self, _params: Params, _emit: Emit, _stop: threading.Event) -> Any:
        """Nothing → nothing, when every replica has stopped."""
        self._runtime.shutdown()
