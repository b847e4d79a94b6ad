from harness.plugging.plugins import Plugins as Plugins
from harness.plugging.plugins import Register as Register
from harness.plugging.plugins import load as load
from harness.plugging.requirements import missing_requirements as missing_requirements
