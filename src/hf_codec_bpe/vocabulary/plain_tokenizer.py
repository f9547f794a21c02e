"""Loads this folder's tokenizer.json as it is. It adds nothing to Transformers.

Needed by AutoTokenizer under trust_remote_code=True only: without it, AutoTokenizer does the same
by itself.
"""

import transformers


class PreTrainedTokenizerFast(transformers.PreTrainedTokenizerFast):
    """A plain fast tokenizer under its own name."""
