"""Bitcoin's addresses: checked to the last sign, and turned into the script that outputs carry, and back.

What belongs here: base58 (P2PKH, P2SH), bech32 (version 0) and bech32m (later versions). What doesn't: who owns them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CONSTANT, _BECH32M_CONSTANT = 1, 0x2BC830A3
_EXTENDED = ("xpub", "ypub", "zpub", "tpub", "upub", "vpub", "Ypub", "Zpub", "Upub", "Vpub")


class AddressError(ValueError):
    """An address is none; the message says why, to be read after the address."""


@dataclass(frozen=True, slots=True)
class Network:
    """One of Bitcoin's chains: how its addresses begin, and the hash of its first block, by which it is known."""

    key_prefix: int
    script_prefix: int
    bech32_prefix: str
    first_block: str


NETWORKS = {
    "mainnet": Network(0x00, 0x05, "bc", "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
    "testnet3": Network(0x6F, 0xC4, "tb", "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"),
    "testnet4": Network(0x6F, 0xC4, "tb", "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"),
    "signet": Network(0x6F, 0xC4, "tb", "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"),
    "regtest": Network(0x6F, 0xC4, "bcrt", "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
}

_BECH32_BEGINNINGS = tuple(sorted({f"{network.bech32_prefix}1" for network in NETWORKS.values()}))


def normalised(address: str) -> str:
    """The address without white space; bech32, whose case means nothing, in lower case. Base58 stays as it is."""
    bare = "".join(address.split())
    return bare.lower() if bare.lower().startswith(_BECH32_BEGINNINGS) else bare


def script_of(address: str, network: Network) -> str:
    """The output script that pays an address, in hexadecimal; raise AddressError if it isn't one of this chain."""
    bare = "".join(address.split())
    if bare.startswith(_EXTENDED):
        raise AddressError("is an extended public key, which is not followed; register each of its addresses")
    if bare.lower().startswith(f"{network.bech32_prefix}1"):
        return _script_of_bech32(bare, network)
    if bare.lower().startswith(_BECH32_BEGINNINGS):
        raise AddressError("is an address of another of Bitcoin's chains")
    return _script_of_base58(bare, network)


def address_of(script: str, network: Network) -> str | None:
    """The address that an output script (hexadecimal) pays; None for scripts that have none."""
    data = bytes.fromhex(script)
    if len(data) == 25 and data[:3] == b"\x76\xa9\x14" and data[23:] == b"\x88\xac":
        return _base58(bytes([network.key_prefix]) + data[3:23])
    if len(data) == 23 and data[:2] == b"\xa9\x14" and data[22:] == b"\x87":
        return _base58(bytes([network.script_prefix]) + data[2:22])
    if 4 <= len(data) <= 42 and data[1] == len(data) - 2 and (data[0] == 0 or 0x51 <= data[0] <= 0x60):
        version = data[0] and data[0] - 0x50
        if version == 0 and len(data) not in (22, 34):
            return None
        return _bech32(version, data[2:], network)
    return None


def _script_of_base58(address: str, network: Network) -> str:
    number = 0
    for sign in address:
        place = _BASE58.find(sign)
        if place < 0:
            raise AddressError("is no Bitcoin address (it has a sign that base58 and bech32 don't)")
        number = number * 58 + place
    zeros = len(address) - len(address.lstrip("1"))
    data = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) != 25:
        raise AddressError("is no Bitcoin address (its length doesn't fit)")
    if _checksum(data[:21]) != data[21:]:
        raise AddressError("is no Bitcoin address (its checksum doesn't fit: mistyped?)")
    content = data[1:21].hex()
    if data[0] == network.key_prefix:
        return f"76a914{content}88ac"
    if data[0] == network.script_prefix:
        return f"a914{content}87"
    raise AddressError("is an address of another chain")


def _script_of_bech32(address: str, network: Network) -> str:
    if address not in (address.lower(), address.upper()):
        raise AddressError("mixes upper and lower case, which bech32 forbids")
    prefix = network.bech32_prefix
    values = [_BECH32.find(sign) for sign in address.lower()[len(prefix) + 1 :]]
    if len(address) > 90 or len(values) < 7 or -1 in values:
        raise AddressError("is no Bitcoin address (length or signs don't fit bech32)")
    version = values[0]
    constant = _BECH32M_CONSTANT if version else _BECH32_CONSTANT
    if _polynomial([*_expanded(prefix), *values]) != constant:
        raise AddressError("is no Bitcoin address (its checksum doesn't fit: mistyped?)")
    program = _eight_bits(values[1:-6])
    if version > 16 or not 2 <= len(program) <= 40 or (version == 0 and len(program) not in (20, 32)):
        raise AddressError("is no Bitcoin address (version or length of its program don't fit)")
    return bytes([version and version + 0x50, len(program), *program]).hex()


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]


def _base58(data: bytes) -> str:
    data += _checksum(data)
    number, signs = int.from_bytes(data, "big"), ""
    while number:
        number, place = divmod(number, 58)
        signs = _BASE58[place] + signs
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + signs


def _bech32(version: int, program: bytes, network: Network) -> str:
    values = [version, *_five_bits(program)]
    constant = _BECH32M_CONSTANT if version else _BECH32_CONSTANT
    rest = _polynomial([*_expanded(network.bech32_prefix), *values, 0, 0, 0, 0, 0, 0]) ^ constant
    checksum = [(rest >> 5 * (5 - place)) & 31 for place in range(6)]
    return f"{network.bech32_prefix}1" + "".join(_BECH32[value] for value in [*values, *checksum])


def _expanded(prefix: str) -> list[int]:
    return [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix]


def _polynomial(values: Iterable[int]) -> int:
    """The remainder by BIP 173's generator."""
    generators, rest = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3), 1
    for value in values:
        top, rest = rest >> 25, (rest & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(generators):
            rest ^= generator if top >> place & 1 else 0
    return rest


def _five_bits(data: bytes) -> list[int]:
    length = -(-len(data) * 8 // 5)
    number = int.from_bytes(data, "big") << (length * 5 - len(data) * 8)
    return [number >> 5 * (length - 1 - place) & 31 for place in range(length)]


def _eight_bits(values: list[int]) -> bytes:
    spare = len(values) * 5 % 8
    number = 0
    for value in values:
        number = number << 5 | value
    if spare > 4 or number & ((1 << spare) - 1):
        raise AddressError("is no Bitcoin address (its last bits don't fit)")
    return (number >> spare).to_bytes(len(values) * 5 // 8, "big")
