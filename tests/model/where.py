"""`where`: terms that an event must satisfy, as functions.

    compile_terms({"type": "buy", "not": {"amount": {"gt": 10}}})(get) -> bool

get(path) gives what lies at a path (event.used); None is missing and null alike.
"""

import event as ev


def compile_terms(terms):
    """A dict as pipelines have it -> a function from a getter of paths to bool."""
    tests = [compile_term(name, operand) for name, operand in (terms or {}).items()]
    return lambda get: all(test(get) for test in tests)


def compile_term(name, operand):
    if name == "any":
        tests = [compile_terms(term) for term in operand]
        return lambda get: any(test(get) for test in tests)
    if name == "not":
        test = compile_terms(operand)
        return lambda get: not test(get)
    if isinstance(operand, dict):
        tests = [compile_comparison(name, op, right) for op, right in operand.items()]
        return lambda get: all(test(get) for test in tests)
    return lambda get: is_equal(get(name), operand)


def compile_comparison(path, op, right):
    if op == "in":
        return lambda get: any(is_equal(get(path), one) for one in right)
    if op == "exists":
        return lambda get: (get(path) is not None) == right
    limit = ev.to_float(str(right))
    compare = {"gt": limit.__lt__, "gte": limit.__le__, "lt": limit.__gt__, "lte": limit.__ge__}[op]

    def test(get):
        text = ev.number_text(get(path))
        number = None if text is None else ev.to_float(text)
        return number is not None and compare(number)
    return test


def is_number(value):
    return isinstance(value, (int, float, ev.Number)) and not isinstance(value, bool)


def is_equal(left, right):
    """Equal in JSON type and in value."""
    if is_number(left) and is_number(right):
        return ev.to_decimal(str(left)) == ev.to_decimal(str(right))
    return type(left) is type(right) and isinstance(left, (bool, str)) and left == right


def paths_of(terms):
    paths = set()
    for name, operand in (terms or {}).items():
        if name == "any":
            paths.update(*map(paths_of, operand))
        elif name == "not":
            paths |= paths_of(operand)
        else:
            paths.add(name)
    return paths
