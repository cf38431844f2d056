"""Renders what this project adds to the shared corpus (see README.md): answers to the greeting, and a second small study.

    python more.py --model kokoro-v1.0.int8.onnx --voices kokoro-js/voices --cache cache --out ..

Stands beside render.py and script.py of the shared corpus; appends its clips to the manifest in OUT.
"""
import argparse, json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import render
import script

# Answers to `s-greeting-1`.
READY = {
    "maya": "Yes, I'm ready!",
    "marcus": "Yeah, sure. Let's do it.",
    "tasha": "Yes, I'm ready, go ahead.",
    "leon": "Yep. Ready when you are.",
    "priya": "Yes, I'm quite ready, thank you.",
    "nora": "Yes, I think so. Please, go on.",
    "victor": "Yes, I'm ready. Fire away.",
    "owen": "Yes, all ready.",
}

STUDY = "first-job"
ASKS = [
    ("s-greeting-2", "system", "Hi, and thanks for joining. I'm an AI interviewer, not a person, and this conversation is recorded for research. It takes about five minutes, and you can stop at any time. Shall we start?"),
    ("q-warmup-before-1", "warmup", "To begin with, what were you doing just before you got your first job?"),
    ("q-warmup-job-1", "warmup", "And what was that first job? Tell me where it was, and what you did there."),
    ("s-transition-story-1", "system", "Thank you. Now I'd like to hear how it all came about."),
    ("q-story-found-1", "story", "How did you hear about the job in the first place?"),
    ("q-story-steps-1", "story", "What happened next, from the moment you got in touch until they said yes?"),
    ("q-story-help-1", "story", "Who helped you along the way, and what did they do?"),
    ("s-transition-back-1", "system", "That's a good story. To finish, let's look back for a moment."),
    ("q-wrapup-learned-1", "wrapup", "Looking back, what did you learn from the way you found it?"),
    ("q-wrapup-today-1", "wrapup", "If somebody young asked you today how to find a first job, what would you say?"),
    ("s-close-complete-2", "system", "Those were all my questions. Thank you for sharing your story. Your answers are saved, and you can close this page now. Goodbye."),
]
ANSWERS = {
    "maya": [
        ("warmup-start", "neutral", "consent", "Sure, let's start."),
        ("warmup-before", "neutral", "school", "I was still at college, in my second year, and I was, um, mostly drawing posters for my friends' bands."),
        ("warmup-job", "positive", "role workplace", "It was in a tiny print shop on the corner. I cut paper, I fixed people's files, and after a month they let me design the menus for half the street."),
        ("story-found", "positive", "contacts chance", "By accident. I went in to print a poster, and I complained about the letters, and the owner said, well, if you can do it better, come on Saturday."),
        ("story-steps", "mixed", "application nerves", "There was no form or anything. I came on Saturday with three drawings under my arm. I was so nervous that I dropped them. He looked at the second one, didn't say a word, and showed me where the aprons were."),
        ("story-help", "positive", "contacts family", "My roommate did. She made me go. I had decided on Friday night that it was a joke, and she set the alarm for me."),
        ("wrapup-learned", "positive", "chance confidence", "That you can just show people what you do. Nobody ever asked me for a certificate."),
        ("wrapup-today", "neutral", "advice", "Bring something you made, and ask to show it. It's much harder to say no to a real thing than to an email."),
    ],
    "owen": [
        ("warmup-start", "neutral", "consent", "Yes, fire away."),
        ("warmup-before", "neutral", "school family", "I'd just left school, and I was helping my uncle on his farm. Not for money, mind you. For dinner."),
        ("warmup-job", "mixed", "role workplace", "I sold tractor parts, behind a counter, in a shed with no heating. I answered the phone, I counted bolts, and I learned to talk to anybody."),
        ("story-found", "neutral", "contacts family", "My uncle knew the man who ran the place. They stood next to each other at the cattle market, and he mentioned that I could read and add up."),
        ("story-steps", "negative", "application waiting", "I wrote a letter, and heard nothing. I wrote another one. Then I rang every Monday for six weeks, and I think in the end they hired me to stop the phone from ringing."),
        ("story-help", "positive", "family", "My mother. She typed both letters at the kitchen table, and she never once told me it was hopeless."),
        ("wrapup-learned", "mixed", "persistence chance", "Keep ringing. It isn't fair, but the people who get the job are quite often the ones who asked twice."),
        ("wrapup-today", "neutral", "advice contacts", "Tell everybody that you're looking. Your aunt, the barber, the lot. Somebody always knows somebody."),
    ],
}


def clips():
    voice, speed = script.INTERVIEWER_VOICE["en"]
    for name, text in READY.items():
        lang, v, s, *_ = script.PARTICIPANTS[name]
        yield dict(id=f"a-{name}-warmup-ready-1", role="participant", persona=name, language=lang, study=script.STUDY, phase="warmup",
                   answers="s-greeting-1", source=text, sentiment="neutral", topics=["consent"], _voice=v, _speed=s)
    for name, phase, text in ASKS:
        yield dict(id=name, role="interviewer", persona="guide", language="en", study=STUDY, phase=phase, source=text, _voice=voice, _speed=speed)
    for name, answers in ANSWERS.items():
        lang, v, s, *_ = script.PARTICIPANTS[name]
        for question, sentiment, topics, text in answers:
            asked = "s-greeting-2" if question == "warmup-start" else f"q-{question}-1"
            yield dict(id=f"a-{name}-{question}-1", role="participant", persona=name, language=lang, study=STUDY, phase=question.split("-")[0],
                       answers=asked, source=text, sentiment=sentiment, topics=topics.split(), _voice=v, _speed=s)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    p.add_argument("--voices", required=True)
    p.add_argument("--cache", default="cache")
    p.add_argument("--out", required=True)
    p.add_argument("--jobs", type=int, default=1)
    args = p.parse_args()
    Path(args.cache).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.jobs) as pool:
        done = list(pool.map(render.work, [(args, c) for c in clips()], chunksize=4))
    path = Path(args.out) / "manifest.json"
    new = {c["id"] for c in done}
    kept = [c for c in json.loads(path.read_text(encoding="utf-8")) if c["id"] not in new]
    lines = ",\n".join("  " + json.dumps(c, ensure_ascii=False) for c in kept + done)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(done)} clips, {sum(c['duration_ms'] for c in done) / 1000:.1f} s")


if __name__ == "__main__":
    main()
