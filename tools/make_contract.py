"""Write ``visavis/contract/data/*.toml`` from the official Python SDK and our review file.

python tools/make_contract.py            # write them
python tools/make_contract.py --check    # exit status 1 if they are stale

Facts (verb, path, names, types, what is required, and the ranges, enumerations and defaults that the SDK's words give)
come from ``huaweicloudsdkmetastudio``; what is silent or wrong there comes from ``tools/contract_review.toml``, which
always wins. No sentence of the SDK is copied. The SDK is installed for tests and tools only; the server never needs it.
"""

from __future__ import annotations

import html
import inspect
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import huaweicloudsdkmetastudio.v1 as sdk

ROOT = Path(__file__).resolve().parents[1]
REVIEW = Path(__file__).with_name("contract_review.toml")
GROUPS = Path(__file__).with_name("contract_review")
DATA = ROOT / "visavis" / "contract" / "data"
SHARED = "shared"

HEAD = """\
# Made by tools/make_contract.py from the official SDK and tools/contract_review.toml: change those, not this file.
"""

# Sent by every operation, and checked by the server for all of them alike.
COMMON_HEADERS = {"X-App-UserId", "X-Request-Id", "Content-Type"}
PLAIN = {"str": "str", "int": "int", "bool": "bool", "float": "float", "file": "file", "object": "dict"}

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_UPTO = r"\s*[-~]\s*"
_LENGTHS = (
    re.compile(rf"字符长度(\d+){_UPTO}(\d+)"),
    re.compile(r"(?:固定|字符长度)(\d+)位()"),
)
_MAX_MIN_LENGTH = re.compile(r"最大长度(\d+)，最小长度(\d+)")
_ITEMS = re.compile(r"(?:个数最大为|列表最多)(\d+)个")
_RANGES = (
    re.compile(rf"最小值?{_NUMBER}，最大值?{_NUMBER}"),
    re.compile(rf"取值范围(?:为|\*\*[：:])\s*\*?\s*{_NUMBER}{_UPTO}{_NUMBER}(?![\dx])"),
    re.compile(rf"(?:取值为|角度范围|（){_NUMBER}{_UPTO}{_NUMBER}(?:度|）|。)"),
)
_DEFAULTS = (
    re.compile(r"\*\*默认取值\*\*[：:]\s*([A-Za-z0-9_.-]+)"),
    re.compile(r"默认(?:值)?(?:为|是)?\s*([A-Za-z0-9_.-]+)"),
)
_LISTED = re.compile(r"(?:^|\s)([*-]) ([A-Za-z0-9_.-]+)\s*[:：]")
_NUMBERED = re.compile(r"(?<![\dA-Za-z-])(\d+)\s*[:：](?!\d)")
_COMMA_SEPARATED = re.compile(r"逗号(?:分隔|隔开)")


def words_of(model: type) -> dict[str, str]:
    """What the SDK says of each attribute."""
    found = re.findall(r":param (\w+): ?(.*)", inspect.getdoc(model.__init__) or "")
    return {name: html.unescape(text.strip()) for name, text in found}


def required_of(model: type) -> set[str]:
    """The attributes that the constructor always sets."""
    return set(re.findall(r"^        self\.(\w+) = \1$", inspect.getsource(model.__init__), re.MULTILINE))


def enum_of(name: str) -> list[str] | None:
    """The values of a class that is nothing but an enumeration."""
    model = getattr(sdk, name)
    if model.openapi_types:
        return None
    return [value for key, value in vars(model).items() if key.isupper() and isinstance(value, str)] or None


def leaf(kind: str) -> str:
    """The innermost type."""
    while match := re.fullmatch(r"(?:list\[|dict\(str, )(.*)[\])]", kind):
        kind = match[1]
    return kind


def parsed(text: str, kind: str) -> Any:
    """A default of the SDK's words as a value; None when it is none of that type."""
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        return None
    if kind == "bool":
        return {"true": True, "false": False}.get(text)
    return text


def number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def limits_of(words: str, kind: str) -> dict[str, Any]:
    """min, max, min_length, max_length, max_items, format and default, as far as the words give them."""
    facts: dict[str, Any] = {}
    inner = leaf(kind)
    if kind.startswith("list[") and (match := _ITEMS.search(words)):
        facts["max_items"] = int(match[1])
    if inner == "str":
        if match := _MAX_MIN_LENGTH.search(words):
            facts |= {"min_length": int(match[2]), "max_length": int(match[1])}
        for pattern in _LENGTHS:
            if match := pattern.search(words):
                low = int(match[1])
                facts |= {"min_length": low, "max_length": int(match[2]) if match[2] else low}
                break
        if "RFC 3339" in words:
            facts["format"] = "date-time"
    if inner in ("int", "float"):
        for pattern in _RANGES:
            if match := pattern.search(words):
                facts |= {"min": number(match[1]), "max": number(match[2])}
                break
    if kind in PLAIN:
        for pattern in _DEFAULTS:
            if (match := pattern.search(words)) and (value := parsed(match[1], kind)) is not None:
                facts["default"] = value
                break
    return {key: value for key, value in facts.items() if not (key == "min_length" and value == 0)}


def choices_of(words: str, kind: str) -> list[Any]:
    """The enumeration that the words list."""
    if leaf(kind) == "int":
        values = [int(value) for value in _NUMBERED.findall(words)]
        return list(dict.fromkeys(values))
    if leaf(kind) != "str":
        return []
    listed = _LISTED.findall(words.split(" > ")[0])
    # Where both marks occur, the dashes belong to what one starred value means.
    mark = "*" if any(sign == "*" for sign, _ in listed) else "-"
    return list(dict.fromkeys(value for sign, value in listed if sign == mark))


class Extraction:
    """Collects operations and the shapes that they reach."""

    def __init__(self, review: dict[str, Any]) -> None:
        self.review = review
        self.operations: dict[str, dict[str, Any]] = {}
        self.shapes: dict[str, dict[str, dict[str, Any]]] = {}
        self.reached_by: dict[str, set[str]] = {}
        self.asked: set[str] = set()  # shapes that requests carry

    # --- fields ---------------------------------------------------------------------------------------

    def field(self, kind: str, words: str, required: bool) -> dict[str, Any]:
        """One field's facts."""
        inner = leaf(kind)
        facts: dict[str, Any] = {}
        enum: list[Any] | None = None
        if inner in PLAIN:
            facts["type"] = kind.replace(inner, PLAIN[inner])
            enum = choices_of(words, kind)
        elif (enum := enum_of(inner)) is not None:
            facts["type"] = kind.replace(inner, "str")
        else:
            facts["type"] = kind
        facts["type"] = re.sub(r"dict\(str, .*\)", "dict", facts["type"])
        if required:
            facts["required"] = True
        facts |= limits_of(words, facts["type"])
        if enum and len(enum) > 1:
            facts["enum"] = enum
            if facts["type"] == "str" and _COMMA_SEPARATED.search(words):
                facts["comma_separated"] = True
            facts.pop("format", None)
            if "default" in facts and facts["default"] not in enum:
                del facts["default"]
        return facts

    def reviewed(self, place: str, name: str, facts: dict[str, Any], *, asked: bool) -> dict[str, Any]:
        """The facts with the review's say. ``place``: the shape's or the operation's name."""
        review = self.review
        taken: set[str] = set()
        for wide in review.get("widen", []):
            if re.fullmatch(wide["name"], name) and set(facts.get("enum", ["?"])) <= set(wide["enum"]):
                facts["enum"] = wide["enum"]
        for key in (f"*.{name}", f"{place}.{name}"):
            for fact, value in review.get("field", {}).get(key, {}).items():
                self.used.add(key)
                if value == "none":
                    facts.pop(fact, None)
                    taken.add(fact)
                else:
                    facts[fact] = value
        if name in review["secret_fields"]:
            facts["secret"] = True
        for rule in review.get("rule", []) if asked else []:
            matches = re.fullmatch(rule["name"], name) and re.fullmatch(rule["type"], facts["type"])
            bare = "enum" not in facts and "format" not in facts
            if matches and bare and facts.get("required", False) >= rule.get("required", False):
                facts |= {key: value for key, value in rule["set"].items() if key not in facts and key not in taken}
        if not asked:
            for fact in ("required", "default", "min", "max", "min_length", "max_length", "max_items"):
                facts.pop(fact, None)
        return dict(sorted(facts.items(), key=lambda fact: _ORDER.index(fact[0])))

    used: set[str] = set()  # noqa: RUF012 - replaced by run

    # --- shapes ---------------------------------------------------------------------------------------

    def reach(self, kind: str, group: str, *, asked: bool) -> None:
        """Take in a shape and all that it holds."""
        name = leaf(kind)
        if name in PLAIN or not hasattr(sdk, name) or enum_of(name) is not None:
            return
        again = name in self.reached_by and group in self.reached_by[name] and (not asked or name in self.asked)
        self.reached_by.setdefault(name, set()).add(group)
        if asked:
            self.asked.add(name)
        if not again:
            for inner in getattr(sdk, name).openapi_types.values():
                self.reach(inner, group, asked=asked)

    def shape(self, name: str) -> dict[str, dict[str, Any]]:
        model = getattr(sdk, name)
        words, required = words_of(model), required_of(model)
        asked = name in self.asked
        fields = {}
        for attribute, kind in model.openapi_types.items():
            wire = model.attribute_map[attribute]
            if wire in COMMON_HEADERS or wire.startswith("X-"):
                continue  # answers declare their headers among their fields
            facts = self.field(kind, words.get(attribute, ""), attribute in required)
            fields[wire] = self.reviewed(name, wire, facts, asked=asked)
        for wire, facts in self.review.get("more", {}).get(name, {}).items():
            fields[wire] = self.reviewed(name, wire, dict(facts), asked=asked)
        return fields

    # --- operations -----------------------------------------------------------------------------------

    def operation(self, name: str, reviewed: dict[str, Any]) -> None:
        client = sdk.MetaStudioClient
        source = inspect.getsource(getattr(client, f"_{name}_http_info"))
        said = inspect.getdoc(getattr(client, name)) or ""
        request = getattr(sdk, re.search(r"v1\.(\w+Request)`", said)[1])  # type: ignore[index]
        answer = re.search(r'"response_type": "(\w+)"', source)[1]  # type: ignore[index]
        words, required = words_of(request), required_of(request)
        facts: dict[str, Any] = {
            "verb": re.search(r'"method": "(\w+)"', source)[1],  # type: ignore[index]
            "path": re.search(r'"resource_path": "([^"]+)"', source)[1],  # type: ignore[index]
            "summary": reviewed["summary"],
            "status": reviewed.get("status", 200),
        }
        if reviewed.get("partial"):
            facts["partial"] = True
        group = reviewed["group"]
        model = getattr(sdk, answer)
        if any(not wire.startswith("X-") for wire in model.attribute_map.values()):
            facts["answer"] = answer
            self.reach(answer, group, asked=False)
        places: dict[str, dict[str, Any]] = {"path_param": {}, "query": {}, "header": {}, "form": {}}
        form = set(re.findall(r"form_params\['(\w+)'\]", source))
        for attribute, kind in request.openapi_types.items():
            wire = request.attribute_map[attribute]
            one = self.field(kind, words.get(attribute, ""), attribute in required)
            if f"path_params['{wire}']" in source:
                one = self.reviewed(name, wire, one, asked=True)
                if set(one) - {"type", "required", "max_length", "min_length"}:
                    places["path_param"][wire] = one
            elif f"query_params.append(('{wire}'" in source:
                one = self.reviewed(name, wire, one, asked=True)
                if f"collection_formats['{wire}'] = 'csv'" in source:
                    one["comma_separated"] = True
                places["query"][wire] = one
            elif attribute == "body" and not form:
                self.reach(kind, group, asked=True)
                one = self.reviewed(name, "body", one, asked=True)
                facts["body"] = one["type"] if set(one) <= {"type", "required"} else one
            elif attribute == "body" or attribute in form:
                form_model = getattr(sdk, leaf(kind)) if attribute == "body" else request
                said_of, needed = words_of(form_model), required_of(form_model)
                for part, part_kind in form_model.openapi_types.items():
                    if part in form:
                        one = self.field(part_kind, said_of.get(part, ""), part in needed)
                        places["form"][part] = self.reviewed(name, part, one, asked=True)
            elif wire not in COMMON_HEADERS:
                places["header"][wire] = self.reviewed(name, wire, one, asked=True)
        for place, more in reviewed.get("more", {}).items():
            for wire, one in more.items():
                places[place][wire] = self.reviewed(name, wire, dict(one), asked=True)
        facts |= {place: dict(sorted(fields.items())) for place, fields in places.items() if fields}
        self.operations[name] = {"group": group, **facts}

    def added(self, name: str, reviewed: dict[str, Any]) -> None:
        """An operation that the SDK lacks; the review gives all of it."""
        facts = {key: value for key, value in reviewed.items() if key in _OPERATION}
        for kind in (facts.get("body"), facts.get("answer")):
            if isinstance(kind, str):
                self.reach(kind, reviewed["group"], asked=kind == facts.get("body"))
        self.operations[name] = {"group": reviewed["group"], "status": 200, **facts}

    def run(self) -> None:
        self.used = set()
        for name, reviewed in self.review["operation"].items():
            (self.operation if "verb" not in reviewed else self.added)(name, reviewed)
        for name in self.reached_by:
            self.shapes[name] = self.shape(name)
        for name, fields in self.shapes.items():
            # What may not be empty when a thing is made may not become empty either.
            made = self.shapes.get(name.replace("Update", "Create", 1), {}) if name.startswith("Update") else {}
            for wire, facts in fields.items():
                if wire in made and facts["type"] == "str" and "min_length" in made[wire]:
                    facts["min_length"] = made[wire]["min_length"]
                    fields[wire] = dict(sorted(facts.items(), key=lambda fact: _ORDER.index(fact[0])))
        for name, fields in self.review.get("shape", {}).items():
            self.shapes[name] = {wire: self.reviewed(name, wire, dict(one), asked=True) for wire, one in fields.items()}
            self.reached_by[name] = {next(o["group"] for o in self.operations.values() if name in _named(o))}
        if unused := set(self.review.get("field", {})) - self.used:
            raise SystemExit(f"the review names fields that are not there: {sorted(unused)}")


_ORDER = (
    "type", "required", "min", "max", "min_length", "max_length", "min_items", "max_items", "enum", "comma_separated",
    "format", "default", "secret", "note",
)  # fmt: skip
_OPERATION = ("verb", "path", "summary", "status", "partial", "body", "answer", "query", "header", "form", "path_param")


def _named(operation: dict[str, Any]) -> set[str]:
    return {leaf(kind) for kind in (operation.get("body"), operation.get("answer")) if isinstance(kind, str)}


# --- writing ------------------------------------------------------------------------------------------


def toml(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def key_of(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def table(name: str, fields: dict[str, Any]) -> list[str]:
    return [f"[{name}]", *(f"{key_of(field)} = {toml(value)}" for field, value in fields.items()), ""]


def review() -> dict[str, Any]:
    """The whole review: what is said of all groups, then of each; a field may be reviewed once only."""
    whole: dict[str, Any] = tomllib.loads(REVIEW.read_text())
    for path in sorted(GROUPS.glob("*.toml")):
        for chapter, entries in tomllib.loads(path.read_text()).items():
            for name, entry in entries.items():
                if name in whole.setdefault(chapter, {}):
                    raise SystemExit(f"{path.name}: {chapter}.{name} is reviewed twice")
                whole[chapter][name] = {**entry, "group": path.stem} if chapter == "operation" else entry
    return whole


def files() -> dict[str, str]:
    """File name -> text of all data files."""
    extraction = Extraction(review())
    extraction.run()
    chapters: dict[str, list[str]] = {}
    for name, facts in sorted(extraction.operations.items()):
        lines = chapters.setdefault(facts["group"], [])
        plain = {key: facts[key] for key in _OPERATION if key in facts and key not in _PLACES}
        lines += table(f"operation.{name}", plain)
        for place in _PLACES:
            if place in facts:
                lines += table(f"operation.{name}.{place}", facts[place])
    for name, fields in sorted(extraction.shapes.items()):
        groups = extraction.reached_by[name]
        lines = chapters.setdefault(next(iter(groups)) if len(groups) == 1 else SHARED, [])
        lines += table(f"shape.{name}", dict(sorted(fields.items())))
    return {f"{group}.toml": HEAD + "\n" + "\n".join(lines) for group, lines in sorted(chapters.items())}


_PLACES = ("path_param", "query", "header", "form")


def main() -> int:
    """Write or check the files; exit status."""
    fresh = files()
    if "--check" in sys.argv[1:]:
        present = {path.name: path.read_text() for path in DATA.glob("*.toml")}
        stale = sorted(name for name in {*fresh, *present} if fresh.get(name) != present.get(name))
        if stale:
            print(f"stale: {', '.join(stale)}: run tools/{Path(__file__).name}", file=sys.stderr)
        return int(bool(stale))
    DATA.mkdir(exist_ok=True)
    for path in DATA.glob("*.toml"):
        if path.name not in fresh:
            path.unlink()
    for name, text in fresh.items():
        (DATA / name).write_text(text)
    print(json.dumps({"files": len(fresh), "bytes": sum(map(len, fresh.values()))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
