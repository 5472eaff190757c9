"""An SVG that was kept as evidence, made safe to be a part of the page: only what draws, nothing that runs or loads."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from markupsafe import Markup

__all__ = ["LARGEST", "UnsafeDrawing", "inline_svg"]

LARGEST = 250_000
"""Characters above which a drawing is linked, not drawn into the page."""

_ELEMENTS = re.compile(
    r"svg|g|path|rect|circle|ellipse|line|polyline|polygon|text|tspan|title|desc|defs|use|clipPath|linearGradient"
    r"|radialGradient|stop|marker|symbol|mask|pattern|style"
)
_ATTRIBUTES = re.compile(
    r"id|class|role|aria-label|href|style|d|points|transform|width|height|viewBox|preserveAspectRatio|offset"
    r"|[xy][12]?|c[xy]|r[xy]?|d[xy]|opacity|visibility|display|mask|orient|marker(-end|-start|Width|Height)|ref[XY]"
    r"|fill(-opacity|-rule)?|stroke(-width|-opacity|-dasharray|-linecap|-linejoin)?|stop-(color|opacity)"
    r"|font-(family|size|weight|style)|text-anchor|(dominant|alignment)-baseline|letter-spacing|textLength|lengthAdjust"
    r"|clip-(path|rule)|clipPathUnits|(gradient|pattern)(Units|Transform)|vector-effect|paint-order"
)
_REFERENCE = re.compile(r"url\(\s*['\"]?#([\w.:-]+)['\"]?\s*\)")
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


class UnsafeDrawing(ValueError):
    """This is no SVG that can be made safe."""


def inline_svg(text: str, *, name: str) -> Markup:
    """The drawing with everything unknown taken out. Its ids begin with `name` (letters, digits, dashes), and its
    styles are for what is inside of the element with the id `name`, which has to be put around it.

    Raises UnsafeDrawing.
    """
    if re.search(r"<!(DOCTYPE|ENTITY)[^>]*\[", text, re.IGNORECASE):
        raise UnsafeDrawing("it defines entities of its own")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  no entities, see above
    except ElementTree.ParseError as error:
        raise UnsafeDrawing(f"it is not well-formed: {error}") from error
    if root.tag.removeprefix(_SVG) != "svg":
        raise UnsafeDrawing(f"its root is {root.tag}")
    _clean(root, name)
    if "viewBox" not in root.attrib:
        width, height = (re.match(r"[\d.]+", root.get(side, "")) for side in ("width", "height"))
        if width and height:
            root.set("viewBox", f"0 0 {width[0]} {height[0]}")
    for side in ("width", "height", "style"):
        root.attrib.pop(side, None)
    root.set("role", "img")
    root.set("aria-label", _title(root) or name)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704  cleaned above


def _clean(element: ElementTree.Element, name: str) -> None:
    element.tag = element.tag.removeprefix(_SVG)
    only_text = element.tag in ("title", "desc")
    for child in list(element):
        if only_text or not isinstance(child.tag, str) or not _ELEMENTS.fullmatch(child.tag.removeprefix(_SVG)):
            element.remove(child)
            continue
        _clean(child, name)
        if child.tag == "style":
            rules = _own_rules(child.text or "", name)
            if rules is None:
                element.remove(child)
            else:
                child.text = rules
    kept = {}
    for key, value in element.attrib.items():
        plain = "href" if key == _XLINK_HREF else key
        cleaned = _attribute(plain, value, name)
        if cleaned is not None:
            kept[plain] = cleaned
    element.attrib.clear()
    element.attrib.update(kept)


def _attribute(key: str, value: str, name: str) -> str | None:
    if not _ATTRIBUTES.fullmatch(key):
        return None
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return f"#{name}-{value[1:]}" if value.startswith("#") else None
    own = _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", value)
    return own if _loads_nothing(_REFERENCE.sub("", value)) else None


def _loads_nothing(css: str) -> bool:
    return not re.search(r"url\s*\(|image(-set)?\s*\(|@import|expression|javascript:|[\\<]", css, re.IGNORECASE)


def _own_rules(css: str, name: str) -> str | None:
    """The rules nested below the drawing's own id, or None when they would load something or reach out of it."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    bare = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "", css)
    depths = [0]
    for sign in re.findall(r"[{}]", bare):
        depths.append(depths[-1] + (1 if sign == "{" else -1))
    closed = depths[-1] == 0 and min(depths) >= 0 and not re.search(r"[\"']|/\*", bare)
    if not closed or not _loads_nothing(_REFERENCE.sub("", css)):
        return None
    css = css.replace(":root", "&")
    return f"#{name}{{{_REFERENCE.sub(lambda found: f'url(#{name}-{found[1]})', css)}}}"


def _title(root: ElementTree.Element) -> str:
    return next((child.text or "" for child in root if child.tag == "title"), "").strip()
