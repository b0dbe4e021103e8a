"""`register` turns a function of `api` into a command: the function's signature and docstring define the options.

Positional parameters become the command's arguments, keyword-only parameters its options. The function that prints the
result can declare further options; a parameter that both functions have receives the same value in both.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ForwardRef, Generic, Literal, TypeVar, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

from ..api.arguments import Argument
from ..errors import ConfigError, valid_names
from .completion import COMPONENTS, completion_of, component_names, spelled
from .docstrings import documented
from .guesses import understood
from .usage_errors import usage_errors
from .written_arguments import READERS

if TYPE_CHECKING:
    from ..config import Leaf

__all__ = ["Call", "Forms", "register"]

T = TypeVar("T")
NO_OPTIONS = frozenset({"call", "limits", "listed", "observer", "progressed", "project", "started"})
"""Parameters that get no option, because the command line sets them; so does every name that begins with `on_`."""


@dataclass(frozen=True, slots=True)
class Forms:
    """The output formats of a command: `--format` chooses a format, `--json` is short for `--format json`."""

    names: Sequence[str]

    @property
    def help(self) -> str:
        """The help text of `--format`: the names of the formats."""
        return f"{', '.join(self.names[:-1])} or {self.names[-1]}."

    def chosen(self, form: str, *, as_json: bool) -> str:
        """The format to print: the value of `--format`, or `json` with `--json`.

        Raises:
            ConfigError: There is no such format, or both options are given.
        """
        if form not in self.names:
            raise ConfigError(f"--format is '{form}'; choose from: {valid_names(form, self.names)}")
        if as_json and form not in ("table", "json"):
            raise ConfigError(f"pass --json or --format {form}, not both")
        return "json" if as_json else form


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A function of `api` with its arguments from the command line, ready to be called."""

    function: Callable[..., T]
    arguments: Mapping[str, Any]

    def __call__(self, **more: Any) -> T:  # noqa: ANN401 - as the function takes them
        """Call the function with these and more arguments; show progress if the function takes an observer."""
        arguments, parameters = {**self.arguments, **more}, inspect.signature(self.function).parameters
        several = [parameter.name for parameter in parameters.values() if parameter.kind is parameter.VAR_POSITIONAL]
        positional = [value for name in several for value in arguments.pop(name)]
        if "observer" not in parameters:
            return self.function(*positional, **arguments)
        from .progress import ProgressObserver

        with ProgressObserver() as progress:
            return self.function(*positional, **arguments, observer=progress)


def register(
    app: typer.Typer,
    function: Callable[..., T],
    show: Callable[[], Callable[..., None]] | None = None,
    *,
    name: str | None = None,
    tracking: bool = False,
    studies: bool = False,
    settings: Sequence[str] = (),
) -> None:
    """Add a command that calls a function.

    Args:
        app: The application that the command is added to.
        function: Does the work. Its docstring is the command's help.
        show: Imports and returns the printing function, which takes a `Call` of `function`; None if `function` prints.
        name: The command's name; None takes the function's.
        tracking: Whether the command has `--tracking-uri`.
        studies: Whether the command has `--storage`.
        settings: Names of settings that have an option of this command, see `config.Flag`.
    """
    command = _Command(function, show, (*[TRACKING] * tracking, *[STUDIES] * studies), settings)

    class Deferred(TyperCommand):
        """A command whose options are created on first use, so that a list of all commands stays fast."""

        @cached_property
        def made(self) -> Any:  # noqa: ANN401 - Typer's command
            alone = typer.Typer(add_completion=False)
            alone.command()(command.callback())
            return typer.main.get_command(alone)

        def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's context and parameters
            self.params, self.callback = self.made.params, self.made.callback
            return super().get_params(ctx)

        def parse_args(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - Typer's
            if ctx.resilient_parsing:
                return super().parse_args(ctx, args)
            arguments = understood(self, ctx, args)
            with usage_errors(ctx.command_path, arguments):
                return super().parse_args(ctx, list(arguments))

    name = name or function.__name__.replace("_", "-")
    app.command(name, cls=Deferred, help=documented(function).summary)(lambda: None)


@dataclass(frozen=True, slots=True)
class _Option:
    """An option or argument of a command."""

    name: str
    kind: Any
    """The type that Typer converts a value to."""
    default: Any
    help: str
    marker: Argument = Argument()  # noqa: RUF009 - frozen
    positional: bool = False

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter that Typer reads."""
        marker, required = self.marker, self.default is inspect.Parameter.empty
        details: dict[str, Any] = {
            "help": self.help,
            "metavar": marker.metavar,
            "min": marker.minimum,
            "max": marker.maximum,
            "autocompletion": completion_of(marker.completes) if marker.completes else None,
        }
        if self.positional:
            declared = typer.Argument(**details, show_default=False)
        else:
            declared = typer.Option(marker.option or f"--{self.name.replace('_', '-')}", **details)
        default = None if self.default == () else self.default
        kind = self.kind if required or default is not None else self.kind | None
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(self.name, keyword, default=default, annotation=Annotated[kind, declared])


JSON = _Option("as_json", bool, False, "Print JSON.", Argument(option="--json"))
TRACKING = _Option("tracking_uri", str, None, "MLflow's; default: mlruns/mlflow.db.")
STUDIES = _Option("storage", str, None, "Optuna's database; default: studies/optuna.db.")


@dataclass(frozen=True, slots=True)
class _Command:
    """A command: the function that works, the function that prints, and options that neither declares."""

    function: Callable[..., Any]
    find_show: Callable[[], Callable[..., None]] | None
    stores: Sequence[_Option]
    settings: Sequence[str]

    @property
    def show(self) -> Callable[..., None] | None:
        """The function that prints the result, imported on access; None if the first function prints."""
        return None if self.find_show is None else self.find_show()

    def callback(self) -> Callable[..., None]:
        """The function that Typer runs; its signature has all options of the command."""
        options = [*_options(self.function), *self._setting_options(), *self.stores]
        if self.show is not None:
            known = {option.name for option in options}
            options += [option for option in _options(self.show) if option.name not in known]
        parameters = [option.parameter for option in options]

        def callback(**given: Any) -> None:  # noqa: ANN401 - as the parameters are
            self._run({name: value for name, value in given.items() if value not in (None, [])})

        callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        callback.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return callback

    def _setting_options(self) -> Iterator[_Option]:
        """Options of the settings in `self.settings`."""
        if not self.settings:
            return
        from ..config import flagged_settings  # pydantic

        known = flagged_settings()
        for name in self.settings:
            setting, flag = known[name], known[name].flag
            assert flag is not None
            several = setting.several or flag.repeatable
            kind = list[setting.option_type] if several else setting.option_type  # type: ignore[name-defined]
            marker = Argument(option=flag.option, metavar=flag.metavar, completes=flag.completes)
            help_text = _setting_help(setting)
            if flag.completes in COMPONENTS:
                help_text = f"{help_text} Choose from: {', '.join(sorted(component_names(flag.completes)))}."
            yield _Option(name, kind, False if kind is bool else None, help_text, marker)

    def _run(self, given: dict[str, Any]) -> None:
        """Call the function with the given command-line values, and print the result."""
        options = [*_options(self.function), *self._setting_options()]
        kinds = {option.name: option.marker.completes for option in options}
        meant = {name: spelled(value, kinds[name]) for name, value in given.items() if name in kinds}
        arguments = {name: value if name in self.settings else _read(name, value) for name, value in meant.items()}
        if "project" in inspect.signature(self.function).parameters:
            from ..project import Project

            stores = {"tracking_uri": given.get("tracking_uri"), "storage_url": given.get("storage")}
            arguments["project"] = Project.locate(**stores)
        call = Call(self.function, arguments)
        if self.show is None:
            call()
            return
        shown = inspect.signature(self.show).parameters
        known = given | arguments
        if (forms := _marker(shown["form"].annotation, Forms) if "form" in shown else None) is not None:
            known["form"] = forms.chosen(given["form"], as_json=given["as_json"])
        self.show(call, **{name: value for name, value in known.items() if name in shown})


def _options(function: Callable[..., Any]) -> Iterator[_Option]:
    """The options and arguments that a function declares."""
    texts = documented(function).arguments
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in NO_OPTIONS or parameter.name.startswith("on_") or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.name == "as_json":
            yield replace(JSON, help=texts.get("as_json", JSON.help))
        elif (forms := _marker(parameter.annotation, Forms)) is not None:
            yield _Option("form", str, parameter.default, forms.help, Argument(option="--format"))
            yield JSON
        else:
            marker = _marker(parameter.annotation, Argument) or Argument()
            several = parameter.kind is parameter.VAR_POSITIONAL
            kind = list[_kind(parameter.annotation)] if several else _kind(parameter.annotation)  # type: ignore[misc]
            positional = parameter.kind is not parameter.KEYWORD_ONLY and not marker.option
            yield _Option(parameter.name, kind, parameter.default, texts.get(parameter.name, ""), marker, positional)


def _setting_help(setting: "Leaf") -> str:
    """The first sentence about a setting, with its default and whether the option can be repeated."""
    repeatable = setting.several or (setting.flag is not None and setting.flag.repeatable)
    ends = ["repeatable"] if repeatable else []
    if setting.default not in (None, False, ()):
        ends.append(f"default: {setting.default}")
    return "; ".join([setting.summary.removesuffix("."), *ends]) + "."


def _marker(annotation: object, marker: type[T]) -> T | None:
    """The marker of a class in an annotation; None where there is none."""
    extras = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((extra for extra in extras if isinstance(extra, marker)), None)


def _kind(annotation: Any) -> Any:  # noqa: ANN401 - a type or a form of typing
    """The type of an option in Typer: the first member of a union, and `str` for types that Typer does not support."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(members[0])
    if origin in (Union, UnionType):
        return _kind(members[0])
    if isinstance(origin, type) and issubclass(origin, Sequence | Mapping):
        return list[str] if issubclass(origin, Mapping) else list[_kind(members[0])]  # type: ignore[misc]
    return str if isinstance(annotation, str | ForwardRef) or origin is Literal else annotation


def _read(name: str, value: Any) -> Any:  # noqa: ANN401 - any value
    """The value of an argument, parsed from text if `READERS` has a parser for this argument."""
    return READERS[name](value) if name in READERS else value
