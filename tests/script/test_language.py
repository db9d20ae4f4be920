import pytest

from unitaf.script.language import canonical_language


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("pt_BR", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("zh_hant_tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("zh-cmn-hans-cn", "zh-cmn-Hans-CN"),
        ("sl-ROZAJ-biske", "sl-rozaj-biske"),
        ("de-CH-1901", "de-CH-1901"),
        ("de-DE-u-CO-PHONEBK", "de-DE-u-co-phonebk"),
        ("en-ca-X-CA", "en-CA-x-ca"),
        ("fil", "fil"),
    ],
)
def test_tags_get_the_case_of_rfc_5646(written, canonical):
    assert canonical_language(written) == canonical
    assert canonical_language(canonical) == canonical


@pytest.mark.parametrize(
    "tag",
    ["English", "e", "en-", "-en", "en--US", "en US", "en_US.UTF-8", "12", "e1", "deutsch", "en-x",
     "x-whatever", "en-US-GB", "日本", "en\n"],
)  # fmt: skip
def test_what_is_not_a_tag_is_refused_by_name(tag):
    with pytest.raises(ValueError, match="is not a language tag such as") as error:
        canonical_language(tag)
    assert repr(tag) in str(error.value)
