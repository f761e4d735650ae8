import sys

from loadtest.bench.bench import main

sys.exit(main())
