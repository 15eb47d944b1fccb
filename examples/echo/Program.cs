namespace Turbo.Examples.Echo;

internal static class Program
{
    private static int Main() => 0;
}
