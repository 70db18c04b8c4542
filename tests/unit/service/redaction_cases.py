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
    ],
    "ipv4": ["192.168.0.1", "8.8.8.8", "203.0.113.255"],
    "ssn": ["123-45-6789", "078-05-1120"],
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
    "Returns within 30 days; refunds within 5-7 days; 2,5 l; 220 V; 50 Hz; 1/2; 3x4.",
]

# Known misses, kept here so that the table tells the truth: no separators, a name spelled out, a broken number.
HARD: dict[str, list[str]] = {
    "email": ["anna at example dot com"],
    "phone": ["01711234567", "212 555 0187"],
    "card": ["4111 11 1111 111111"],
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
