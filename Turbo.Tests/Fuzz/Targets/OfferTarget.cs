using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Turbo.Net.WebSocket;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>Sec-WebSocket-Extensions: which offer is accepted, and how, against a reference; the answer is itself an offer that says the same.</summary>
internal sealed partial class OfferTarget : FuzzTarget
{
    private const string Token = @"[!#$%&'*+\-.^_`|~0-9A-Za-z]";

    private static readonly WebSocketCompression[] s_options = [new(), new() { ServerNoContextTakeover = true, ClientNoContextTakeover = true, ClientMaxWindowBits = 11 }];

    public override string Name => "offer";

    public override int MaxBytes => 256;

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "permessage-deflate", "Permessage-Deflate", "permessage-bzip2", ";", ",", "=", "\"", "\\\\", " ", "\\t", "; server_no_context_takeover", "; client_no_context_takeover", "; server_max_window_bits=10",
        "; client_max_window_bits", "; client_max_window_bits=8", "; client_max_window_bits=\"15\"", "; client_max_window_bits=\"1\\\\5\"", "=7", "=16", "=08", "=\"\"", "; x", ", permessage-deflate", "\\x00", "\\xff",
    ];

    public override void Run(byte[] input)
    {
        string text = Encoding.Latin1.GetString(input);
        foreach (WebSocketCompression options in s_options)
        {
            OfferResult result = DeflateOffer.Read(input, options, out DeflateParameters accepted);
            OfferResult expected = Reference(text, options, out DeflateParameters answer);
            FuzzFinding.Unless(result == expected && accepted == answer, $"{result} {accepted}, and not {expected} {answer}");
            if (result == OfferResult.Accepted) ReadBack(accepted);
        }
    }

    private static void ReadBack(in DeflateParameters accepted)
    {
        Span<byte> written = stackalloc byte[160];
        OfferResult result = DeflateOffer.Read(written[..accepted.Write(written)], new WebSocketCompression(), out DeflateParameters read);
        FuzzFinding.Unless(result == OfferResult.Accepted && read == accepted, $"the answer says {read}, and not {accepted}");
    }

    // RFC 6455 §9.1, RFC 7692 §5.1 and §7.1: the first that can be accepted as it stands.
    private static OfferResult Reference(string text, WebSocketCompression options, out DeflateParameters answer)
    {
        answer = default;
        OfferResult result = OfferResult.Declined;
        foreach (string element in text.Split(',').Select(static e => e.Trim(' ', '\t')).Where(static e => e.Length > 0))
        {
            if (Extension().Match(element) is not { Success: true } match) return OfferResult.Malformed;
            if (result == OfferResult.Accepted || !match.Groups[1].Value.Equals("permessage-deflate", StringComparison.OrdinalIgnoreCase)) continue;
            Dictionary<string, string?> parameters = new(StringComparer.OrdinalIgnoreCase);
            bool isKnown = true;
            foreach (Capture capture in match.Groups[2].Captures)
            {
                string[] parts = capture.Value.Split('=', 2);
                string? value = parts.Length == 2 ? Escape().Replace(parts[1].Trim(' ', '\t').Trim('"'), "$1") : null;
                isKnown &= parameters.TryAdd(parts[0].Trim(' ', '\t'), value) && IsValid(parts[0].Trim(' ', '\t').ToLowerInvariant(), value);
            }
            if (!isKnown) continue;
            result = OfferResult.Accepted;
            bool hasServer = parameters.TryGetValue("server_max_window_bits", out string? server);
            bool hasClient = parameters.TryGetValue("client_max_window_bits", out string? client);
            answer = new DeflateParameters(
                parameters.ContainsKey("server_no_context_takeover") || options.ServerNoContextTakeover,
                parameters.ContainsKey("client_no_context_takeover") || options.ClientNoContextTakeover,
                Bits(server), hasClient ? Math.Min(Bits(client), options.ClientMaxWindowBits) : 15, hasServer);
        }
        return result;
    }

    private static int Bits(string? value) => value is null ? 15 : int.Parse(value, CultureInfo.InvariantCulture);

    private static bool IsValid(string name, string? value) => name switch
    {
        "server_no_context_takeover" or "client_no_context_takeover" => value is null,
        "server_max_window_bits" => value is not null && WindowBits().IsMatch(value),
        "client_max_window_bits" => value is null || WindowBits().IsMatch(value),
        _ => false,
    };

    [GeneratedRegex($@"\A({Token}+)(?:[ \t]*;[ \t]*({Token}+(?:[ \t]*=[ \t]*(?:{Token}+|""(?:\\?{Token})+""))?))*\z")]
    private static partial Regex Extension();

    [GeneratedRegex(@"\A(?:[89]|1[0-5])\z")]
    private static partial Regex WindowBits();

    [GeneratedRegex(@"\\(.)")]
    private static partial Regex Escape();
}
