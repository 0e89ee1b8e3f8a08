"""Why a host could not do what it was asked for, in a sentence. A file of its own, because sessions
know nothing of these sentences."""

from tui_manager.agent_install.ssh.host_session import RefusedRequestError

_SHOWN = 80  # characters of a code that is not known
_SENTENCES = {
    "no_sudo": "There is no sudo, so --become cannot be used: log in as root.",
    "sudo": "sudo was refused: {detail}. --ask-become-password asks for its password.",
    "sudo_password": "sudo did not take the password, or does not let this user run sh.",
    "busy": "Another install or removal is at work there; repeat this one when it has ended.",
    "updating": "An update is at work there; repeat this when it has ended.",
    "not_writable": "Something there cannot be written: {detail}.",
    "no_space": "The disk there has too little room: {detail} kB are free and needed.",
    "receive": "The agent's files could not be written there: {detail}.",
    "cut": "The transfer of the agent's files was cut after {detail} bytes.",
    "sha256": "The agent's files came to the host as others (SHA-256 {detail}).",
    "unpack": "The agent's files could not be unpacked there: {detail}.",
    "does_not_run": "The agent does not run there: {detail}.",
    "identity": "The agent there cannot use its state folder: {detail}.",
    "service": "The service there does not start: {detail}.",
}


def describe(error: RefusedRequestError) -> str:
    """The sentence; `detail` in it is what the host said."""
    detail = error.detail.strip().removesuffix(".").removeprefix("tui-manager-agent: ")
    if error.code == "no_space":
        detail = " and ".join(detail.split())
    if (sentence := _SENTENCES.get(error.code)) is None:
        return f"It could not do what it was asked ({error.code[:_SHOWN]!r})."
    return sentence.format(detail=detail or "it does not say why")
