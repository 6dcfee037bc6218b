"""im.notify, im.notify.personal.add, im.notify.system.add and im.message.add (PORTAL.md 10)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.php.scalars import PhpValue, is_empty, to_int
from syncd.sandbox.tables.database import Message

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import User

MESSAGE_SCOPES = frozenset({"im"})
_SYSTEM = 0


def notify(call: MethodCall) -> PhpValue:
    """Send a notice of type TYPE, that of the caller unless it is SYSTEM."""
    params = call.upper_params()
    return _notify(call, params, system=params.get("TYPE") == "SYSTEM")


def notify_personal(call: MethodCall) -> PhpValue:
    """Send a notice in the caller's name."""
    return _notify(call, call.upper_params(), system=False)


def notify_system(call: MethodCall) -> PhpValue:
    """Send a notice without a sender."""
    return _notify(call, call.upper_params(), system=True)


def _notify(call: MethodCall, params: dict[str, PhpValue], *, system: bool) -> PhpValue:
    user_id = to_int(params.get("TO", params.get("USER_ID")))
    if user_id <= 0:
        raise Refusal("USER_ID_EMPTY", "User ID can't be empty")
    text = _text(params)
    if not text:
        raise Refusal("MESSAGE_EMPTY", "Message can't be empty")
    if _recipient(call, user_id) is None:
        return False  # with HTTP 200 and no error: the client has to look (PORTAL.md 10.1, trap 43)
    return _file(call, to=str(user_id), sender=_SYSTEM if system else call.caller.id, text=text, notice=True)


def add_message(call: MethodCall) -> PhpValue:
    """Send a message in the caller's name to a user, or to a chat of which the caller is a member."""
    params = call.upper_params()
    text = _text(params)
    if not text:
        raise Refusal("MESSAGE_EMPTY", "Message can't be empty")
    dialog = params.get("DIALOG_ID")
    if dialog is None:
        raise Refusal("PARAMS_ERROR", "Incorrect params")
    to = str(dialog)
    if to.startswith(("chat", "sg")):
        _check_chat(call, to)
    else:
        user_id = to_int(dialog)
        if user_id <= 0:
            raise Refusal("USER_ID_EMPTY", "User ID can't be empty")
        if _recipient(call, user_id) is None:
            raise Refusal("USER_NOT_FOUND", "User not found")
        to = str(user_id)
    previews = params.get("URL_PREVIEW") != "N"
    return _file(call, to=to, sender=call.caller.id, text=text, notice=False, previews=previews)


def _check_chat(call: MethodCall, to: str) -> None:
    tables = call.tables
    if to.startswith("sg"):
        group = tables.groups.get(to_int(to[2:]))
        members = None if group is None else group.members | {group.owner}
    else:
        chat = tables.chats.get(to_int(to[4:]))
        members = None if chat is None else chat.members
    if members is None and to_int(to.lstrip("chatsg")) <= 0:
        raise Refusal("CHAT_ID_EMPTY", "Chat ID can't be empty")
    if members is None or call.caller.id not in members:
        raise Refusal("ACCESS_ERROR", "It is forbidden to send messages to this chat", 403)


def _recipient(call: MethodCall, user_id: int) -> User | None:
    user = call.tables.users.get(user_id)
    return user if user is not None and user.active else None


def _text(params: dict[str, PhpValue]) -> str:
    text = params.get("MESSAGE")
    return "" if is_empty(text) else str(text).strip()


def _file(call: MethodCall, *, to: str, sender: int, text: str, notice: bool, previews: bool = True) -> int:
    messages = call.tables.messages
    messages.append(Message(at=call.now, to=to, sender=sender, text=text, notice=notice, previews=previews))
    return len(messages)


METHODS = MappingProxyType(
    {
        "im.notify": Method(run=notify, scopes=MESSAGE_SCOPES),
        "im.notify.personal.add": Method(run=notify_personal, scopes=MESSAGE_SCOPES),
        "im.notify.system.add": Method(run=notify_system, scopes=MESSAGE_SCOPES),
        "im.message.add": Method(run=add_message, scopes=MESSAGE_SCOPES),
    }
)
