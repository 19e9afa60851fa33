"""Amazon EC2 and Systems Manager; the only place that imports boto3."""
