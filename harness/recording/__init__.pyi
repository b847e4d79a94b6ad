from harness.recording.blotting import blot as blot
from harness.recording.checkpoints import SESSION_FILE as SESSION_FILE
from harness.recording.ledger import Line as Line
from harness.recording.ledger import read as read
from harness.recording.provenance import code_hash as code_hash
from harness.recording.provenance import verifier_hash as verifier_hash
