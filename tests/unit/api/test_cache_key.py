"""Two passes that do the same are found by the same key."""

from finetune_api.cache_key import pass_key


def key(**changes):
    parts = {
        "kind": "lora",
        "config": {"r": 8, "alpha": 16},
        "inputs": {"input": "base-digest"},
        "data": {"train_data": "d"},
    }
    return pass_key(**{**parts, "libraries": {"torch": "2"}, **changes})


def test_the_order_of_fields_does_not_matter():
    assert key() == key(config={"alpha": 16, "r": 8})


def test_every_input_matters():
    changed = [
        key(config={"r": 9, "alpha": 16}),
        key(inputs={"input": "other"}),
        key(data={"train_data": "e"}),
        key(libraries={"torch": "3"}),
        key(kind="qlora"),
    ]
    assert len({key(), *changed}) == 6


def test_a_key_is_32_hex_digits():
    assert len(key()) == 32
    assert int(key(), 16) >= 0
