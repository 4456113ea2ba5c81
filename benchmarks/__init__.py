"""What is measured, beside the baseline it is measured against, in one run: python -m benchmarks."""
