"""This module decides who may make which call; master and planner ask it before any handler runs."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from ganger_core.domain.errors import PermissionDenied, Unauthenticated
from ganger_core.domain.principal import Principal, Role
from ganger_core.rpc.channels import REQUEST_ID_KEY, TOKEN_KEY
from ganger_core.wire.v1 import options_pb2

_HEALTH = "/grpc.health.v1.Health/"
_REQUEST_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Call:
    """The call being answered: who makes it, its id for the logs, and its method (`/package.Service/Name`)."""

    principal: Principal
    request_id: str
    method: str


current_call: ContextVar[Call] = ContextVar("current_call")
"""The call that the running handler answers; set by the interceptors."""


class Tokens:
    """The bearer tokens that are known, kept as hashes only."""

    def __init__(self, principals: Mapping[str, Principal]) -> None:
        self._entries = [(_hash(token), principal) for token, principal in principals.items()]

    @classmethod
    def single(cls, token: str, principal: Principal) -> Tokens:
        """One token for one principal."""
        return cls({token: principal})

    def find(self, token: str) -> Principal | None:
        """Whose token this is; takes the same time whether or not it is one of them."""
        wanted, found = _hash(token), None
        for known, principal in self._entries:
            if hmac.compare_digest(known, wanted):
                found = principal
        return found


class Guard:
    """Admits calls: over the Unix socket, which only its owner can open, as `local`; else by token."""

    def __init__(self, tokens: Tokens, local: Principal | None) -> None:
        self._tokens = tokens
        self._local = local

    def admit(self, method: str, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> Call:
        """The call with its caller; raises `Unauthenticated`, or `PermissionDenied` when its role does not do."""
        headers = {key: value if isinstance(value, str) else "" for key, value in metadata}
        principal = self._authenticate(peer, headers.get(TOKEN_KEY, ""))
        needed = required_role(method)
        if needed is None:
            raise PermissionDenied(f"{method} is open to nobody")
        if not principal.may(needed):
            raise PermissionDenied(
                f"{method} needs the role {needed}; {principal.name or 'this caller'} has {principal.role}"
            )
        request_id = headers.get(REQUEST_ID_KEY, "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(8)
        return Call(principal, request_id, method)

    def _authenticate(self, peer: str, header: str) -> Principal:
        if self._local is not None and peer.startswith("unix:"):
            return self._local
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated(
                "this call carries no token: give the server's token file with --token-file or GANGER_TOKEN_FILE"
            )
        principal = self._tokens.find(token)
        if principal is None:
            raise Unauthenticated("this token is not known here: take the token file of this server")
        return principal


def is_open(method: str) -> bool:
    """Whether anybody may make this call: health checks only."""
    return method.startswith(_HEALTH)


@lru_cache(maxsize=256)
def required_role(method: str) -> Role | None:
    """The role that the schema asks for; None for a method that it does not know or that names none."""
    try:
        pool = options_pb2.DESCRIPTOR.pool
        descriptor = pool.FindMethodByName(method.removeprefix("/").replace("/", "."))
    except KeyError:
        return None
    number = descriptor.GetOptions().Extensions[options_pb2.required_role]
    if number == options_pb2.ROLE_UNSPECIFIED:
        return None
    return Role(options_pb2.Role.Name(number).removeprefix("ROLE_"))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
