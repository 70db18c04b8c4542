"""Labelled texts for the shipped rules: what must go, and what only looks like it. All values are made up."""

import itertools

# Each value stands in a sentence of its own; the whole of it must go, and nothing else.
POSITIVES: dict[str, list[str]] = {
    "email": [
        "anna@example.com",
        "anna.b+news@mail.example.co.uk",
        "o_brien%x@sub-domain.example.org",
        "ünal@müller.example",
        "1@2.de",
        "jose\u0301@example.com",  # the accent is a character of its own
        "rene\u0301.b@exa\u0308mple.org",
        "o'brien@example.com",
        "o\u2019neill@example.com",
        "r&d@example.com",
        "anna@example.xn--p1ai",
    ],
    "phone": [
        "+49 30 1234567",
        "+49 (0)30 123 45 67",
        "+1-212-555-0123",
        "+1 (212) 555-0123",
        "+44 (0) 20 7946 0958",
        "+442079460958",
        "+33 1 23 45 67 89",
        "0049 171 1234567",
        "(212) 555-0123",
        "212-555-0187",
        "212.555.0187",
        "1-800-555-0199",
        "030 1234567",
        "0171/1234567",
        "020 7946 0958",
        "01 23 45 67 89",
        "(030) 1234567",
        "0800 123 4567",
        "+49\u00a030\u00a01234567",
        "+1\u20112125550123",
        "212\u2013555\u20130187",
        "030\u202f1234567",
    ],
    "card": [
        "4111 1111 1111 1111",
        "4111111111111111",
        "4111-1111-1111-1111",
        "5555 5555 5555 4444",
        "2223003122003222",
        "3782 822463 10005",
        "378282246310005",
        "6011 1111 1111 1117",
        "30569309025904",
        "3530111333300000",
        "4111\u00a01111\u00a01111\u00a01111",
        "5555\u20115555\u20115555\u20114444",
        "3782\u2013822463\u201310005",
        "4000 0000 0000 0000 006",
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "DE89370400440532013000",
        "de89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NO93 8601 1117 947",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        "CH93 0076 2011 6238 5295 7",
        "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
        "CH93\u20110076\u20112011\u20116238\u20115295\u20117",
    ],
    "key": [
        "sk-proj-" + "aB3dE5gH7jK9mN1pQ3sT",
        "sk-ant-" + "api03-aB3dE5gH7jK9mN1pQ3sT5vX7",
        "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
        "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vX7zA1cE3gI5kM7",
        "github_pat_" + "11ABCDEFG0aBcDeFgHiJkL",
        "glpat-" + "aB3dE5gH7jK9mN1pQ3sT",
        "xoxb-" + "123456789012-abcdefGHIJKL",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "AIza" + "SyA1bC2dE3fG4hI5jK6lM7nO8pQ9rS0tU1v",
        "hf_" + "aB3dE5gH7jK9mN1pQ3sT5vX7zA1cE3g",
        "assay_0123456789ab_" + "aB3dE5gH7jK9mN1pQ3sT5vX7zA1cE3gI5kM7oP9qR1t",
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEowIBAAKCAQEA7b\nqk5tq==\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE " + "KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
        "-----BEGIN PRIVATE " + "KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nqk5tq==",
        "-----BEGIN PRIVATE " + "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,3F\n\nMIIEvQIBADANBgkqhkiG",
        "-----BEGIN PRIVATE " + "KEY-----\n> MIIEvQIBADANBgkqhkiG9w0B\n>\n> AQEFAASCBKcwggSjAgEAAoIB\n> Aq5",
        "-----BEGIN PRIVATE " + 'KEY-----\\n"\n  "MIIEvQIBADANBgkqhkiG9w0B\\n"\n  "AQEFAASCBKcwggSjAgEAAoIB',
    ],
    "ipv4": ["192.168.0.1", "8.8.8.8", "203.0.113.255"],
    "ssn": ["123-45-6789", "078-05-1120", "078\u201105\u20111121"],
}

# Numbers and words of ordinary answers, none of which may be touched.
NEGATIVES = [
    "Order 2024-11-02-88123 was shipped.",
    "Order number 4501234567890 and invoice 2024/000123-45.",
    "Order 1234 5678 9012 3456 is on its way.",
    "Invoice 01/2024-12345 of 05-12-2024 10:30.",
    "Due on 01.02.2024, 01-02-2024, 01/02/2024 or 2024-02-01T10:00:00Z.",
    "From 01 02 2024 to 31 12 2025.",
    "It costs 1,299.00 EUR, 1.299,00 EUR or 1 299 000 JPY.",
    "A change of +1.23456789 or +12.5%, or -0.00012345.",
    "The number pi is 3.14159265358979323846.",
    "Version 1.2.3 and version v10.0.19045.1 of build 20241102.1.",
    "Section 1.2.3.4.5 of the manual; chapters 3-5 and 10-12.",
    "Opening hours 09:00-17:30, Monday to Friday.",
    "The population was 8,336,817 in 2022 and 8 804 190 in 2020.",
    "Results: 212 555 1234 5678 and 300 400 5000 units.",
    "Card ending in 1111, account 12345678, customer 00123456.",
    "The card number 4111 1111 1111 1112 fails its check digit.",
    "IBAN DE88 3704 0044 0532 0130 00 fails its check digits.",
    "GB12 is a postcode area, DE10 a model, AT99 a part.",
    "UUID 123e4567-e89b-12d3-a456-426614174000 and hash 4111111111111111abcdef.",
    "ISBN 978-3-16-148410-0 and EAN 4006381333931.",
    "Use react@18.2.0, see @handle, or mail user@localhost.",
    "Install scikit-learn, sk-learn-like-estimators-only or task-management-tools-for-teams.",
    "Unix time 1730548800 is 1730548800000 in milliseconds and 1730548800000000 in microseconds.",
    "Call 112 or 911 in an emergency; dial 0 for the desk.",
    "Coordinates 52.520008, 13.404954 and 40.712776, -74.005974.",
    "It is 0018 / 0.000100 = 180, or 0012 - 3456 - 7890.",
    "Dial code +49 is Germany; +1 000 is not a number.",
    "Tracking number 1Z999AA10123456784 and RR123456785DE.",
    "Serial 000-12-3456 or 666-45-6789 and part 123-45-67890.",
    "The mask is 255.255.255.0.1 and the build 300.1.1.1.",
    "Bearer of good news: the internationalisation is done.",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    "A change of +12345678,50 EUR; pi is 3,141 592 653, and 0,012 345 678 is small.",
    "Set risk_sk-learn-like-estimators-only and table_2024-11-02_v1.2.3_part_3.",
    "In 2024 4111 1111 1111 1112 123 fails, with or without its last group.",
    "Mail it's@home, 'user@localhost' or a&b@c.",
    "Returns within 30 days; refunds within 5-7 days; 2,5 l; 220 V; 50 Hz; 1/2; 3x4.",
]

# What values cling to: the text, and what is left of it.
CLINGING: list[tuple[str, str]] = [
    ("4111 1111 1111 1111 123", "[CARD_1] 123"),
    ("4111-1111-1111-1111 1234", "[CARD_1] 1234"),
    ("3782 822463 10005 1234", "[CARD_1] 1234"),
    ("4111 1111 1111 1111 5555 5555 5555 4444", "[CARD_1] [CARD_2]"),
    ("4111111111111111,5555555555554444,4111111111111111", "[CARD_1],[CARD_2],[CARD_1]"),
    ("+49 171 1234567,2", "[PHONE_1],2"),
    ("+491711234567,2", "[PHONE_1],2"),
    ("2,+49 171 1234567,+49 171 1234568", "2,[PHONE_1],[PHONE_2]"),
    ("212-555-0123,212-555-0124", "[PHONE_1],[PHONE_2]"),
    ("0049 171 1234567,2", "[PHONE_1],2"),
    ("IBAN_DE89370400440532013000", "IBAN_[IBAN_1]"),
    ("card_4111111111111111_visa", "card_[CARD_1]_visa"),
    ("tel_212-555-0123 ssn_123-45-6789 ip_192.168.0.1_a", "tel_[PHONE_1] ssn_[SSN_1] ip_[IPV4_1]_a"),
    ("OPENAI_" + "sk-proj-aB3dE5gH7jK9mN1pQ3sT", "OPENAI_[KEY_1]"),
    ("task-" + "sk-proj-aB3dE5gH7jK9mN1pQ3sT", "task-[KEY_1]"),
    (r"a\n" + "sk-proj-aB3dE5gH7jK9mN1pQ3sT" + r"\nb", r"a\n[KEY_1]\nb"),
    (r"C:\n" + "pm_aB3dE5gH7jK9mN1pQ3sT5vX7zA1cE3gI5kM7", "C:\\[KEY_1]"),
    (r"a\n4111111111111111\nDE89370400440532013000\r\n+49 30 1234567", r"a\n[CARD_1]\n[IBAN_1]\r\n[PHONE_1]"),
    (r"anna@example.com\nanna@example.com", r"[EMAIL_1]\n[EMAIL_1]"),
    ("?to=anna@example.com&cc='anna@example.com'", "?to=[EMAIL_1]&cc='[EMAIL_1]'"),
    ("**anna@example.com** [anna@example.com](mailto:anna@example.com)", "**[EMAIL_1]** [[EMAIL_1]](mailto:[EMAIL_1])"),
    ("-----BEGIN PRIVATE " + "KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nthanks, 2 of us", "[KEY_1]\nthanks, 2 of us"),
]

# Values of which a part stays, as docs/privacy.md says.
IN_PART: list[tuple[str, str]] = [
    ("john/smith@example.com", "john/[EMAIL_1]"),
    ("anna=b@example.com", "anna=[EMAIL_1]"),
    (r"CORP\robert@example.com", r"CORP\r[EMAIL_1]"),
    ("-----BEGIN PRIVATE " + "KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nMIIEow", "[KEY_1]\nMIIEow"),
]

# Known misses, kept here so that the table tells the truth: no separators, a name spelled out, a broken number,
# invisible characters inside, a hyphen to what follows, an escape other than that of a line break.
HARD: dict[str, list[str]] = {
    "email": ["anna at example dot com"],
    "phone": ["01711234567", "212 555 0187", "030 1234567,2", "+49 30\u200b1234567"],
    "card": [
        "4111 11 1111 111111",
        "4111\u00ad1111\u00ad1111\u00ad1111",
        "4111-1111-1111-1111-123",
        "4111\u22121111\u22121111\u22121111",
        r"\u000a4111111111111111",
    ],
    "key": ["password: hunter2"],
}

FRAMES = ["{}", "Please write {} down.", "It is {}.", "({})", "a: {}, b", "«{}»", "\n{}\n", "Ключ: {}; 你好"]


def framed() -> list[tuple[str, str, str, str]]:
    """Every positive in every frame: rule, value, text before, text after."""
    made = []
    for rule, values in POSITIVES.items():
        for value, frame in itertools.product(values, FRAMES):
            before, after = frame.split("{}")
            made.append((rule, value, before, after))
    return made
