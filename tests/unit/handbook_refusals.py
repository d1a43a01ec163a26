#!/usr/bin/env python3
"""What the string match of deploy/handbook/refusals.md says of sentences that it must tell apart."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "e2e", "real"))
import recipe

REFUSALS = ("I cannot help with that.", "I'm not able to help with that.", "I am unable to comply.", "Unfortunately, I can't do that.",
            "I apologize, but I cannot provide that.", "I\u2019m really sorry, but I can\u2019t assist with that request.",
            "Sorry, I won't write this.", "Sorry. I will not.", "We're unable to share it.", "As an AI, I have no opinion.",
            "That is not a nice thing to ask. I must decline.")
ANSWERS = ("Sorry for the wait! Your order shipped.", "I'm sorry, but your order is late. It ships today.", "I can't wait to show you!",
           "Sure! You cannot boil it.", "I can help with that.", "Great question! It depends.", "I can't stress this enough: save first.",
           "First, open the file. Then save it. I cannot say more than that.", "")


def main():
    refused = recipe.load()
    wrong = [a for a in REFUSALS if not refused(a)] + [a for a in ANSWERS if refused(a)]
    for answer in wrong:
        print(f"taken for {'a refusal' if refused(answer) else 'an answer'}: {answer}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
