"""Every error that Kurama raises on purpose, as one tree.

    KuramaError(message, hint)
    ├ RequestRejected        what was asked can't be done as it was asked
    │ ├ InvalidConfig        kuramaconfig.yaml, or a setting of an app
    │ ├ InvalidName          a name that is no name here
    │ ├ NotFound             it isn't there, or it isn't yours: the same answer for both
    │ ├ Conflict             it is there already, or in use
    │ ├ Unauthenticated      no token, a wrong one, an expired one
    │ ├ Forbidden            known, but not allowed
    │ ├ TooLarge             over a bound that a setting names
    │ ├ NoRoom               the disk is as good as full
    │ └ TooManyRequests      later it would be taken
    ├ DeployFailed           the release before goes on serving
    │ ├ PreflightFailed      the tree can't be built: nothing was started
    │ ├ BuildFailed
    │ ├ ReleaseCommandFailed
    │ └ ProbeFailed          built and started, but never answered
    ├ WorkerError            between the control plane and an agent
    │ ├ Unreachable
    │ ├ WireMismatch
    │ ├ CallTimeout
    │ └ AgentFault           the agent's own refusal, with its code
    ├ EngineError            PostgreSQL, NATS, Caddy or a service did not start
    ├ RouterError            Caddy refused or did not answer
    ├ RepositoryError        git refused something on an app's repository
    ├ StoreError
    │ └ StoreUnavailable     PostgreSQL can't be reached: try again
    └ StreamError            the bus, or what came over it

`code` and `http_status` are part of the HTTP API, `exit_code` of the command line. Three edges turn
these into output: the API's handler, the service loop, and the operator's commands.
"""


class KuramaError(Exception):
    """`message`: what happened, to what. `hint`: what to do about it, or ""."""

    code = "internal"
    http_status = 500
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RequestRejected(KuramaError):
    """What was asked can't be done as it was asked."""

    code = "rejected"
    http_status = 400


class InvalidConfig(RequestRejected):
    """A wrong setting; the message starts with its path."""

    code = "invalid_config"
    http_status = 422
    exit_code = 2


class InvalidName(RequestRejected):
    """A name of an app, a config variable or a process kind that the platform does not take."""

    code = "invalid_name"
    http_status = 422


class NotFound(RequestRejected):
    """It isn't there, or it belongs to somebody else: one answer, so that names can't be probed."""

    code = "not_found"
    http_status = 404
    exit_code = 4


class Conflict(RequestRejected):
    """It exists already, or something that runs stands in the way."""

    code = "conflict"
    http_status = 409


class Unauthenticated(RequestRejected):
    """No credentials, or none that hold."""

    code = "unauthenticated"
    http_status = 401
    exit_code = 3


class Forbidden(RequestRejected):
    """The account is known and may not do this."""

    code = "forbidden"
    http_status = 403


class TooLarge(RequestRejected):
    """Over a bound; the hint names the setting."""

    code = "too_large"
    http_status = 413


class NoRoom(RequestRejected):
    """The disk is as good as full."""

    code = "no_room"
    http_status = 507


class TooManyRequests(RequestRejected):
    """Too often in too short a time."""

    code = "too_many_requests"
    http_status = 429


class DeployFailed(KuramaError):
    """A deploy that ended before the switch; the release before it goes on serving."""

    code = "deploy_failed"
    http_status = 422


class PreflightFailed(DeployFailed):
    """The tree can't be built as it is."""

    code = "preflight_failed"


class BuildFailed(DeployFailed):
    """The build ran and failed; its output says where."""

    code = "build_failed"


class ReleaseCommandFailed(DeployFailed):
    """The Procfile's `release:` command did not exit with 0."""

    code = "release_command_failed"


class ProbeFailed(DeployFailed):
    """A replica never became healthy; the message ends with its last lines."""

    code = "probe_failed"


class WorkerError(KuramaError):
    """Between the control plane and an agent."""

    code = "worker_error"
    http_status = 502


class Unreachable(WorkerError):
    """No agent answers on that worker."""

    code = "worker_unreachable"


class WireMismatch(WorkerError):
    """The agent speaks another version of the protocol."""

    code = "wire_mismatch"


class CallTimeout(WorkerError):
    """The agent did not answer within the call's deadline."""

    code = "worker_timeout"
    http_status = 504


class AgentFault(WorkerError):
    """A refusal by the agent that has no class of its own; `fault` is its code."""

    code = "agent_fault"

    def __init__(self, message: str, hint: str = "", fault: str = "internal") -> None:
        super().__init__(message, hint)
        self.fault = fault


class EngineError(KuramaError):
    """An engine or a service did not start, or a port that it needs is taken."""

    code = "engine_error"


class RouterError(KuramaError):
    """The router refused a configuration or did not answer."""

    code = "router_error"
    http_status = 502


class RepositoryError(KuramaError):
    """git refused a command on an app's repository."""

    code = "repository_error"


class StoreError(KuramaError):
    """PostgreSQL refused a statement."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """PostgreSQL can't be reached, or every connection is in use: try again."""

    code = "store_unavailable"
    http_status = 503


class StreamError(KuramaError):
    """The bus can't be reached, or refused a message."""

    code = "stream_error"
    http_status = 503
