"""What the modules of cascades.py share that compare with diffusers' pipelines: a case of a table of kinds, and fixtures."""
import atexit
import functools
import os
import shutil
import tempfile
import warnings

import pipeline_models as models
import pipelines
from common import Draw

VOCABULARIES = {}


def vocabularies(seed):
    """The tokenizers of one run, built once."""
    if seed not in VOCABULARIES:
        folder = tempfile.mkdtemp(prefix="langevin-tokenizers-")
        atexit.register(shutil.rmtree, folder, True)
        VOCABULARIES[seed] = models.Vocabularies(folder, Draw(seed, "vocabularies"))
    return VOCABULARIES[seed]


def case(kind, make, program, draw, folder, options):
    """A case of cascades.py: a line about it, and whether it agrees."""
    warnings.filterwarnings("ignore")
    place = os.path.join(folder, "case")
    job, result, steadiness = pipelines.drawn(
        kind, make, draw.integer(0, 2**30), vocabularies(options.seed), place, lambda text: None)
    problem, figures = pipelines.compared(program, job.command(), result, place)
    words = " ".join(repr(word) if " " in word else word for word in job.command())
    return f"{problem or figures} (rounding {steadiness:.0e})" + (f"\n    {words}" if problem else ""), problem is None


def cases(kinds):
    """The cases of a table from names to functions that make a job."""
    return [(kind, functools.partial(case, kind, make)) for kind, make in kinds.items()]
