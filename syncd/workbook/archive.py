"""How much an archive unpacks to, found without keeping any of it."""

from __future__ import annotations

import io
import zipfile
import zlib

_STEP_BYTES, _PACKED_STEP_BYTES = 1 << 20, 1 << 16


def unpacks_to_more_than(content: bytes, most: int) -> bool:
    """Return True if the members of an archive have more than `most` bytes; False for what is no archive.

    Raises ValueError for a damaged archive.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return False
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                # The sizes in the directory are the author's; a bomb states small ones. So each member is unpacked.
                total += max(member.file_size, _unpacked_size(content, member, most - total))
                if total > most:
                    return True
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, ValueError):
        raise ValueError("the archive is damaged") from None
    return False


def _unpacked_size(content: bytes, member: zipfile.ZipInfo, most: int) -> int:
    """Return the true size of a packed member, or some size above `most`."""
    if member.compress_type != zipfile.ZIP_DEFLATED:
        return member.compress_size
    start = member.header_offset
    # The local header is 30 bytes, a name and an extra field, which may differ from the one in the directory.
    start += 30 + int.from_bytes(content[start + 26 : start + 28], "little")
    start += int.from_bytes(content[member.header_offset + 28 : member.header_offset + 30], "little")
    unpacker = zlib.decompressobj(wbits=-15)
    size = 0
    for at in range(start, len(content), _PACKED_STEP_BYTES):
        packed = content[at : at + _PACKED_STEP_BYTES]
        while packed and not unpacker.eof:
            size += len(unpacker.decompress(packed, _STEP_BYTES))
            packed = unpacker.unconsumed_tail
            if size > most:
                return size
        if unpacker.eof:
            break
    return size
