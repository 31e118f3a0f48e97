using Microsoft.AspNetCore.Builder;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>The errors of an endpoint beside those that authorization has.</summary>
internal sealed record DeclaredErrors(IReadOnlyList<ErrorCode> Errors);

/// <summary>The JSON that an endpoint reads by itself, for errors of our own.</summary>
/// <param name="Type">What it is.</param>
/// <param name="Number">How many of them.</param>
internal sealed record DeclaredBody(Type Type, BodyNumber Number);

internal enum BodyNumber
{
    One,
    OneOrArray,
    Array,
}

/// <summary>What an endpoint says about itself in the API's document.</summary>
internal static class ApiDeclarations
{
    public static RouteHandlerBuilder WithErrors(this RouteHandlerBuilder endpoint, params ErrorCode[] errors) => endpoint.WithMetadata(new DeclaredErrors(errors));

    public static RouteHandlerBuilder WithBody<T>(this RouteHandlerBuilder endpoint, BodyNumber number = BodyNumber.One) =>
        endpoint.WithMetadata(new DeclaredBody(typeof(T), number));
}
