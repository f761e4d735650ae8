import sys

from loadtest.profile.profile import main

sys.exit(main())
