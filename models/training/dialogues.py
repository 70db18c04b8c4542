"""The dialogue: two people make plans or report, and what one may say of it, by templates."""

import random
from collections.abc import Mapping
from types import MappingProxyType

from models.training.edits import chance
from models.training.examples import Example, Target


def make_dialogue(draw: random.Random) -> Example:
    """Two people make plans or report; the hypothesis says of one of them what was said, or not what was said."""
    one, other, third = draw.sample(PEOPLE, 3)
    plan = draw.choice(_PLANS)
    values = {slot: draw.choice(_VALUES[slot]) for slot in _VALUES}
    wrong = {slot: draw.choice([value for value in _VALUES[slot] if value != values[slot]]) for slot in _VALUES}
    line, fact, slots = plan
    opening = draw.choice(_OPENINGS).format(name=one)
    answer = draw.choice(_ANSWERS)
    turns = [f"{other}: {opening}", f"{one}: {line.format(**values)}", f"{other}: {answer}"]
    if chance(draw, 0.4):
        line2, _, _ = draw.choice(_PLANS)
        turns.append(f"{other}: {line2.format(**wrong)}")
    if chance(draw, 0.3):
        turns = turns[1:]
    speaker, said, target = one, values, Target.ENTAILED
    kind = draw.choice(("right", "right", "right", "speaker", "slot", "slot", "third", "not"))
    text = fact
    if kind == "speaker":
        speaker, target = other, Target.NOT_ENTAILED
    elif kind == "third":
        speaker, target = third, Target.NEUTRAL
    elif kind == "slot":
        slot = draw.choice(slots)
        said, target = {**values, slot: wrong[slot]}, Target.NOT_ENTAILED
    elif kind == "not":
        text, target = _denied(fact), Target.CONTRADICTED
    if kind == "speaker" and any(turn.startswith(f"{other}: {line.format(**values)}") for turn in turns):
        target = Target.ENTAILED
    hypothesis = f"{speaker} {text.format(**said)}."
    premise = draw.choice(("\n", " ")).join(turns)
    return Example(premise=premise, hypothesis=hypothesis, target=target, source=f"dialogue_{kind}", group="")


_PEOPLE_TABLE = """
Anna Ben Carla David Elena Frank Grace Hugo Irene Jack Kate Liam Maria Noah Olivia Peter Quinn Rosa Sam Tina Umar Vera
Will Yusuf Zoe Jamal Priya Chen Fatima Diego Ingrid Tom Lucy Mark Nina Oscar Paula Ralph Susan Victor Hannah Erik
"""
PEOPLE = tuple(_PEOPLE_TABLE.split())
_OPENINGS = (
    "Hi {name}, how are you?",
    "Hey, any news?",
    "{name}, what's the plan?",
    "Are you coming?",
    "So what do you think?",
    "Did you hear from the team?",
    "Good morning, thanks for joining.",
    "What about you?",
    "Can you give us an update, {name}?",
)
_ANSWERS = (
    "Great!",
    "Okay, got it.",
    "Sounds good.",
    "Oh no.",
    "Thanks for letting me know.",
    "Really?",
    "Sure.",
    "lol ok",
    "I see.",
    "Let me write that down.",
)
_PLANS = (
    ("I'll bring the {item}.", "will bring the {item}", ("item",)),
    ("I can pick you up at {time}.", "offers to pick the other up at {time}", ("time",)),
    (
        "I'm meeting my {person} at the {place} on {day}.",
        "is meeting a {person} at the {place} on {day}",
        ("person", "place", "day"),
    ),
    ("We bought {number} {items} for the party.", "bought {number} {items} for the party", ("number", "items")),
    ("Can't come on {day}, I have to work.", "has to work on {day}", ("day",)),
    ("My {person} is ill so I'm staying home.", "is staying home because of a {person} who is ill", ("person",)),
    ("I left my {item} at the {place}.", "left the {item} at the {place}", ("item", "place")),
    (
        "The meeting was moved to {day} at {time}.",
        "says that the meeting was moved to {day} at {time}",
        ("day", "time"),
    ),
    (
        "I think we should cut the budget by {number} percent.",
        "thinks the budget should be cut by {number} percent",
        ("number",),
    ),
    ("I'm going to {city} next {day}.", "is going to {city} next {day}", ("city", "day")),
    ("I've been living in {city} for {number} years.", "has lived in {city} for {number} years", ("city", "number")),
    ("My flight to {city} leaves at {time}.", "has a flight to {city} at {time}", ("city", "time")),
    ("I just finished the {task}.", "has finished the {task}", ("task",)),
    ("I haven't started the {task} yet.", "has not started the {task} yet", ("task",)),
    ("Please send me the {task} by {day}.", "wants to get the {task} by {day}", ("task", "day")),
    ("I'd rather go to the {place} than stay here.", "would prefer to go to the {place}", ("place",)),
    ("Our team will test the {task} first.", "says the team will test the {task} first", ("task",)),
    ("I lent {number} dollars to my {person}.", "lent a {person} {number} dollars", ("number", "person")),
    ("I forgot to buy the {items}.", "forgot to buy the {items}", ("items",)),
    ("I got a new job in {city}, starting {day}.", "has a new job in {city}", ("city",)),
    ("I don't like the {item} you showed us.", "does not like the {item}", ("item",)),
    (
        "Let's have dinner at the {place} at {time}.",
        "suggests having dinner at the {place} at {time}",
        ("place", "time"),
    ),
    (
        "The customer asked for {number} more {items}.",
        "says the customer asked for {number} more {items}",
        ("number", "items"),
    ),
)
_VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "item": (
            "laptop",
            "keys",
            "camera",
            "umbrella",
            "cake",
            "tent",
            "remote",
            "charger",
            "guitar",
            "prototype",
            "jacket",
        ),
        "items": (
            "balloons",
            "chairs",
            "licences",
            "batteries",
            "tickets",
            "pizzas",
            "notebooks",
            "samples",
            "bottles",
        ),
        "time": ("7 pm", "8:30", "noon", "6 o'clock", "9 am", "half past three", "10:15", "5 pm"),
        "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "person": ("sister", "brother", "boss", "colleague", "neighbour", "cousin", "roommate", "uncle"),
        "place": ("cinema", "station", "library", "gym", "office", "cafe", "museum", "beach", "market", "restaurant"),
        "number": ("2", "3", "4", "five", "6", "8", "ten", "12", "15", "20"),
        "city": ("Paris", "Berlin", "Madrid", "Chicago", "London", "Rome", "Lisbon", "Toronto", "Oslo", "Prague"),
        "task": ("report", "presentation", "user interface", "survey", "contract", "design", "budget plan", "homework"),
    }
)


def _denied(fact: str) -> str:
    for verb, denied in (
        ("will ", "will not "),
        ("is ", "is not "),
        ("has not ", "has already "),
        ("has ", "does not have "),
        ("does not like", "likes"),
        ("bought ", "did not buy "),
        ("left ", "did not leave "),
        ("lent ", "did not lend "),
        ("forgot ", "remembered "),
        ("thinks ", "does not think "),
        ("says ", "denies "),
        ("would prefer ", "would not like "),
        ("wants ", "does not want "),
        ("offers ", "refuses "),
        ("suggests ", "is against "),
    ):
        if fact.startswith(verb):
            changed = denied + fact[len(verb) :]
            return changed.replace("does not have finished", "has not finished").replace(
                "does not have lived", "has never lived"
            )
    return f"never {fact}"
