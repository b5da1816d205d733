"""Scenarios: one file is one complete problem, which every command runs on."""

SCENARIOS = {
    "letter": "arn_keras.scenario.letter:Letter",
    "deepjscc": "arn_keras.scenario.deepjscc:DeepJSCC",
    "text": "arn_keras.scenario.text:Text",
    "modulation": "arn_keras.scenario.modulation:Modulation",
    "own": "arn_keras.scenario.own:Own",
    "writers": "arn_keras.scenario.writers:Writers",
}
