using System.Text;
using Turbo.Server.Api;

namespace Turbo.Server;

/// <summary>
/// The parameters of a request: from its query, a form or a JSON object in its content, which wins over the query. What is
/// malformed or missing throws an <see cref="AppException"/> that answers 400 and names the field. Unknown fields do not
/// matter. Gone when the handler returns.
/// </summary>
public sealed class AppParameters
{
    private readonly AppRequest _request;
    private readonly Parameters _parameters;

    internal AppParameters(AppRequest request, Parameters parameters)
    {
        _request = request;
        _parameters = parameters;
    }

    /// <summary>A text; null when absent.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="maxLength">Characters that it may have; default 65,536.</param>
    public string? Text(string name, int maxLength = 65_536) => Checked(Open().Text(Utf8(name), maxLength));

    /// <summary>A text that must be there and not be empty.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="maxLength">Characters that it may have; default 65,536.</param>
    public string Required(string name, int maxLength = 65_536) => Checked(Open().RequiredText(Utf8(name), maxLength));

    /// <summary>A whole number within bounds; null when absent.</summary>
    public int? Number(string name, int min = int.MinValue, int max = int.MaxValue) => Checked(Open().Number(Utf8(name), min, max));

    /// <summary><c>true</c>, <c>false</c>, <c>1</c> or <c>0</c>; <paramref name="absent"/> when there is none.</summary>
    public bool Flag(string name, bool absent = false) => Checked(Open().Flag(Utf8(name), absent));

    /// <summary>A list of texts: a JSON array, a repeated form field, or one text with commas; null when absent.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="maxCount">Elements that it may have; default and most 1,024.</param>
    public IReadOnlyList<string>? List(string name, int maxCount = Parameters.MaxElements) => Checked(Open().List(Utf8(name), maxCount));

    private Parameters Open()
    {
        _request.CheckIsOpen();
        return _parameters;
    }

    private T Checked<T>(T value) => _parameters.HasError ? throw ToException(_parameters.Error) : value;

    internal static AppException ToException(ApiError error) => new(error.Status, error.Message, error.Param, error.Code);

    private static byte[] Utf8(string name) => Encoding.UTF8.GetBytes(name);
}
