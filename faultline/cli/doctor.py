"""`faultline doctor`."""

from pathlib import Path

import click

from faultline.cli._options import config_option, json_option, store_option


@click.command()
@store_option
@config_option
@click.option("--full", is_flag=True, help="Also read every data file whole: seconds a gigabyte.")
@click.option("--repair", is_flag=True, help="The same, and take the tables of broken files back to before them.")
@json_option
@click.pass_context
def doctor(
    context: click.Context, store: str | None, config: Path | None, full: bool, repair: bool, as_json: bool
) -> None:
    """Check this machine and the store, and say what is missing.

    Exits 1 if a check fails; a WARN does not keep the main job from running. What --repair takes out of the tables is
    read again by the next `faultline run`, as far as its source still has it.

    \b
    Example:
      faultline doctor --store ./faultline-data
    """
    from faultline.cli._output import print_json
    from faultline.cli._text import one_line
    from faultline.doctor import examine

    findings = list(examine(config, store, full, repair))
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.level:<4}  {finding.name}: {one_line(finding.detail)}")
    context.exit(int(any(finding.level == "FAIL" for finding in findings)))
