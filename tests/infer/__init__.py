"""Tests of ctc-ocr infer."""
