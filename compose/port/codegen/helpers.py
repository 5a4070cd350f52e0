"""Extract repeated parts of an expression into helpers: functions or constants."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict

from compose.port.codegen.anti_unification import Generaliser, Unlike, params, substitute
from compose.port.codegen.dependent_arguments import dependent_arguments
from compose.port.codegen.layout import WIDTH, Layout
from compose.port.codegen.loops import rate_formulas
from compose.port.codegen.naming import helper_name, is_size, parameter_names
from compose.port.codegen.program import Helper, Program, Written, blocks
from compose.port.codegen.runs import common_group, grouped
from compose.port.codegen.terms import Term

_SHORTEST = 22  # the minimum length of an expression that is worth a name, in characters
_LEAST_GAIN = 15  # characters that a helper must save
_PER_LINE, _PER_HELPER, _PER_PARAM = 12, 30, 8  # the cost of a line, a function and a parameter, in characters
_FAMILIAR = 200  # how many more characters a helper may cost if it is one of the source's own modules
_TRIALS = 8  # patterns tried in each iteration
_OF_A_FORM = 2  # patterns of each form that are tried in addition if there are few expressions
_LONG = 100  # a part without parameters that is shorter must be used three times
_FEW = 400
_MOST_PARAMS = 7
_SAMPLE = 28  # expressions of one form that are compared with each other


def find_helpers(net: Term, words: dict[Term, str]) -> Program:
    """Extract every helper that makes the program shorter, best first."""
    with_formulas = rate_formulas(net)
    net, words = with_formulas(net), {with_formulas(part): word for part, word in words.items()}
    group = common_group(net)
    written = Written()
    programs = [
        _extracted(Program(grouped(net, g), {}, {grouped(p, g): w for p, w in words.items()}), written)
        for g in {(), group}
    ]
    return min(programs, key=lambda program: _cost(program, written))


def _extracted(program: Program, written: Written) -> Program:
    cost = _cost(program, written)
    while True:
        trials = [_with_helper(program, pattern) for pattern in _Search(program).best()]
        better = [(c, t) for t in trials if (c := _cost(t, written)) <= cost - _LEAST_GAIN]
        if not better:
            return program
        cost, program = min(better, key=lambda pair: pair[0] - _FAMILIAR * pair[1].newest.from_source)


def _cost(program: Program, written: Written) -> int:
    """The cost of reading the program: its characters and lines, and the signature of each helper."""
    lines = [line for block in blocks(program, "net", written) for line in block]
    signatures = sum(_PER_HELPER + _PER_PARAM * len(h.params) for h in program.helpers.values() if h.is_function)
    return signatures + sum(len(line.strip()) + _PER_LINE for line in lines)


class _Search:
    def __init__(self, program: Program):
        self.program = program
        self.general = Generaliser(program.arguments)
        self.layout = Layout(program.arguments, program.keeps)
        self.size: dict[Term, int] = {}
        self.counts = Counter(
            t for body in program.bodies() for t in body.walk() if t.kind in ("call", "op", "items") and not t.free
        )
        self.forms: dict[tuple, list[Term]] = defaultdict(list)
        for term in self.counts:
            if self.length(term) >= _SHORTEST or term.kind == "items":
                self.forms[_form(term)].append(term)

    def length(self, term: Term) -> int:
        if term not in self.size:
            self.size[term] = len(self.layout.flat(term))
        return self.size[term]

    def best(self) -> list[Term]:
        """The patterns with the highest estimated gain."""
        gains: dict[Term, float] = {}
        for form in self.forms.values():
            for pattern in self._patterns(form):
                gains[pattern] = self.gain(pattern, form)
        top = sorted(gains, key=lambda p: (-gains[p], self.layout.flat(p)))[:12]
        for pattern in top:  # patterns of pairs may be too specific: generalise the best ones further
            for term in self.forms[_form(pattern)]:
                for wider in self._common(pattern, term):
                    if wider not in gains:
                        gains[wider] = self.gain(wider, self.forms[_form(pattern)])
        order = sorted((p for p in gains if gains[p] > 0), key=lambda p: (-gains[p], self.layout.flat(p)))
        seen: Counter = Counter()
        chosen = []
        for i, pattern in enumerate(order):
            form = pattern.kind, pattern.head
            seen[form] += 1
            if i < _TRIALS or (seen[form] <= _OF_A_FORM and len(self.counts) <= _FEW):
                chosen.append(pattern)
        return chosen

    def _patterns(self, form: list[Term]) -> set[Term]:
        patterns = {t for t in form if self.counts[t] > 1 and not params(t)}
        sample = form[:: max(1, len(form) // _SAMPLE)]
        for i, a in enumerate(sample):
            for b in sample[:i]:
                patterns.update(self._common(a, b))
        return patterns

    def _common(self, a: Term, b: Term) -> list[Term]:
        try:
            pattern = self.general.common(a, b)
        except Unlike:
            return []
        return [pattern] if pattern.kind == a.kind else []

    def gain(self, pattern: Term, form: list[Term]) -> float:
        """The number of characters saved by writing the pattern once."""
        names = params(pattern)
        if len(names) > _MOST_PARAMS:
            return -1
        saved, values, used = 0.0, defaultdict(list), 0
        for term in form:
            match = self.general.match(pattern, term)
            if match is None:
                continue
            n = self.counts[term]
            used += n
            saved += n * (self.length(term) - 10)
            for name in names:
                values[name].append((match[name], n))
        if used < 2 or (not names and used < 3 and self.length(pattern) < _LONG):
            return -1
        for arguments in values.values():
            counts = Counter()
            for value, n in arguments:
                counts[value] += n
            most_common = counts.most_common(1)[0][1] if len(counts) > 1 else 0
            texts = sum(n * (self.length(v) + 2) for v, n in counts.items())
            saved -= texts - most_common * 3 + 12 + (30 if any(v.kind not in ("atom", "param") for v in counts) else 0)
        own = self.length(pattern) - sum(len(n) for n in names)
        return saved - self.length(pattern) if own >= 18 + 6 * len(names) else -1


def _form(term: Term) -> tuple:
    return term.kind, term.head, term.names.count(None), len(term.args) if term.kind == "items" else 0


def _with_helper(program: Program, pattern: Term) -> Program:
    """The program with the pattern extracted as a helper, and replaced by calls."""
    program = Program(program.net, program.helpers, program.words)
    general = Generaliser(program.arguments)
    uses: list[dict[str, Term]] = []
    word: Counter = Counter()

    def count(term: Term) -> None:
        match = general.match(pattern, term) if not term.free else None
        if match is not None:
            uses.append(match)
            source_name = program.words.get(_nameless(term))
            word.update([source_name] if source_name else [])
        for arg in (match or {}).values() if match is not None else term.args:
            count(arg)

    for body in program.bodies():
        count(body)
    taken = program.names_in_use()
    shadowed = {p for helper in program.helpers.values() for p in helper.params}
    bodies = {helper.name: helper.body for helper in program.helpers.values()}
    name = helper_name(pattern, word.most_common(1)[0][0] if word else "", taken | shadowed, bodies)
    names = parameter_names(pattern, uses, taken | {name})
    dependent = dependent_arguments(uses, names)
    names = {p: n for p, n in names.items() if p not in dependent}
    most_common = {p: Counter(use[p] for use in uses).most_common(1)[0] for p in names}
    majority = {p: v for p, (v, n) in most_common.items() if 2 * n > len(uses) and n > 1}
    defaults = {names[p]: v for p, v in majority.items() if _short(v) and not is_size(names[p])}
    order = sorted(names.values(), key=lambda p: (p in defaults, p == "name", not is_size(p)))
    values = {names[p]: tuple(dict.fromkeys(use[p] for use in uses)) for p in names}
    is_function = (
        bool(names) or pattern.kind == "items" or len(Layout(program.arguments, program.keeps).flat(pattern)) > WIDTH
    )
    body = substitute(pattern, dependent | {p: Term("param", q) for p, q in names.items()})

    @functools.cache
    def change(term: Term) -> Term:
        match = general.match(pattern, term) if not term.free else None
        if match is None:
            return term.map(change)
        arguments = {names[p]: change(v) for p, v in match.items() if p in names}
        passed = [p for p in order if arguments[p] != defaults.get(p)]
        if not is_function:
            return Term("atom", name)
        return Term("call", name, tuple(arguments[p] for p in passed), tuple(passed))

    program.rewrite(change)
    program.helpers[name] = Helper(name, body, tuple(order), defaults, values, bool(word), is_function)
    return program


def _nameless(term: Term) -> Term:
    kept = [(n, a) for n, a in zip(term.names, term.args) if n != "name"]
    if term.kind != "call" or len(kept) == len(term.args):
        return term
    return term.but(names=tuple(n for n, _ in kept), args=tuple(a for _, a in kept))


def _short(value: Term) -> bool:
    return value.kind == "atom" and len(value.head) <= 24
