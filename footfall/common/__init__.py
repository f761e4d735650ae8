"""What has nothing to do with counting: below everything else."""
