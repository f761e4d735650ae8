"""The people who use Footfall."""
