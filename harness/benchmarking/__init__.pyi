from harness.benchmarking.at_hand import AtHand as AtHand
from harness.benchmarking.at_hand import Problem as Problem
from harness.benchmarking.at_hand import all_closed as all_closed
from harness.benchmarking.at_hand import gated_names as gated_names
from harness.benchmarking.at_hand import problems_at_hand as problems_at_hand
from harness.benchmarking.comparing import unlike as unlike
from harness.benchmarking.folder import is_evaluation as is_evaluation
