import sys

from loadtest.load.run import main

sys.exit(main())
