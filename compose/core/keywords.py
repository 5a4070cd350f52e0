"""The error for a keyword that a function or a layer does not have: what to write instead."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def helps_with_keywords(elsewhere: Mapping[str, str], name: str = "") -> Callable[[F], F]:
    """A decorator: an unknown keyword is a `TypeError` that says what to write.

    `elsewhere` says what other libraries' keywords are here: keywords of the function, the first of several that it
    has, separated by blanks; after a colon, what to do instead.
    """

    def decorate(function: F) -> F:
        parameters = inspect.signature(function).parameters.values()
        if any(p.kind == p.VAR_KEYWORD for p in parameters):
            return function
        known = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
        takes = frozenset(known)
        called = name or function.__name__

        @functools.wraps(function)
        def checked(*args: Any, **keywords: Any) -> Any:
            unknown = keywords.keys() - takes
            if unknown:
                raise unknown_keyword(called, next(k for k in keywords if k in unknown), known, elsewhere)
            return function(*args, **keywords)

        return checked  # pyright: ignore[reportReturnType]

    return decorate


def unknown_keyword(called: str, keyword: str, known: Iterable[str], elsewhere: Mapping[str, str]) -> TypeError:
    """The error for `called(keyword=...)`."""
    known = [name for name in known if len(name) > 1 and name != "self"]
    said, _, advice = elsewhere.get(keyword, "").partition(":")
    names = [name for name in said.split() if name in known][:1] or ([] if advice else near(keyword, known))
    hint = f"did you mean {' or '.join(f'{name}=' for name in names)}?" if names else advice.strip()
    hint = hint or f"it takes {', '.join(known)}"
    return TypeError(f"{called}() got an unexpected keyword argument {keyword!r}; {hint}")


def near(name: str, known: Iterable[str]) -> list[str]:
    """The names that one means: contained in it, its initials or beginning, or else spelt alike."""
    known = list(known)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")  # CrossEntropyLoss
    plain, initials = "".join(words), "".join(word[:1] for word in words)
    if not plain:
        return []
    within = [k for k in known if k.replace("_", "") in plain]  # sparse_categorical_crossentropy
    if within:
        return [max(within, key=len)]
    short = [k for k in known if k == initials]  # mean_squared_error
    long = [k for k in known if len(plain) > 1 and plain.startswith("".join(word[:1] for word in k.split("_")))]  # bce
    begun = [k for k in known if len(plain) > 2 and k.startswith(plain)]  # acc
    return short or [k for k in long if "_" in k] or begun or difflib.get_close_matches(name.lower(), known, n=2)
