"""Facts of a protocol that limit the meaning of its scores, and the sentences that accompany the scores."""

__all__ = ["ELSEWHERE", "WARNINGS"]

WARNINGS = {
    "text_baseline": (
        "text leakage: a guess from the training labels of each text, without any sound, scores {}; a score of this "
        "corpus may come from the words"
    ),
    "pretraining": "pretraining contamination: the encoder {} learned from this corpus, test speakers included",
    "pretraining_union": "pretraining contamination: the encoder {} of the union, test speakers included",
    "classes_missing": "some corpora of the union lack classes ({}), whose scores are of the other corpora alone",
    "unlabelled": "training reads the sound of {}: scores of recordings among them are transductive",
    "nobody": "{}; whether held-out speakers speak in them is not known",
}
"""Facts that limit the meaning of a score, and the sentence that accompanies the score; {} is the fact's value."""

ELSEWHERE = ("unlabelled",)
"""Those of them that are about recordings which may be of any corpus."""
