using Microsoft.AspNetCore.SignalR;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>Reads the server's errors: <c>code: sentence</c> behind SignalR's own words.</summary>
internal static class WireError
{
    private const string Marker = $"{nameof(HubException)}: ";
    private const string CloseMarker = "closed the connection with the following error: ";

    public static RealtimeException Of(HubException exception)
    {
        var start = exception.Message.IndexOf(Marker, StringComparison.Ordinal);
        var text = start < 0 ? exception.Message : exception.Message[(start + Marker.Length)..];
        return text.Split(": ", 2) is [var code, var sentence]
            ? new RealtimeException(ErrorCode.Find(code), sentence, exception)
            : new RealtimeException(ErrorCode.Internal, text, exception);
    }

    /// <summary>The code with which the server has closed a connection; null where it said nothing.</summary>
    public static string? CloseCodeOf(Exception? exception)
    {
        var start = exception?.Message.IndexOf(CloseMarker, StringComparison.Ordinal) ?? -1;
        return start < 0 ? null : exception!.Message[(start + CloseMarker.Length)..].Split(':')[0];
    }
}
