"""Gives an empty moto one launch template per pool, so that agents have something to buy from.

    python deploy/moto_templates.py CATALOGUE REGION=AWS_REGION…

For docker-compose.yml and trials only: at Amazon a template names your own image and instance type.
Safe to repeat.
"""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from heliostat.catalogue import FleetCatalogue
from storage.catalogue_file import read_catalogue

MOTO_IMAGE = "ami-12c6146b"
"""An image that moto knows from birth."""
INSTANCE_TYPE = "p4d.24xlarge"


def main(arguments: list[str]) -> int:
    """Make what is missing; 2 for wrong arguments."""
    if len(arguments) < 2 or not all("=" in pair for pair in arguments[1:]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    catalogue = read_catalogue(Path(arguments[0]))
    for pair in arguments[1:]:
        region, aws_region = pair.split("=", 1)
        make_templates(catalogue, catalogue.region(region).name, aws_region)
    return 0


def make_templates(catalogue: FleetCatalogue, region: str, aws_region: str) -> None:
    """One template for every pool of the region."""
    ec2 = boto3.client("ec2", region_name=aws_region)
    for pool in catalogue.pools:
        if pool.key.region != region:
            continue
        try:
            ec2.create_launch_template(
                LaunchTemplateName=pool.template_name,
                LaunchTemplateData={"InstanceType": INSTANCE_TYPE, "ImageId": MOTO_IMAGE},
            )
        except ClientError as error:
            if "AlreadyExists" not in error.response["Error"]["Code"]:
                raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
