//! The titles of problems, one a status, in the market's two languages.

use http::{HeaderMap, StatusCode, header};

/// A language that titles exist in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Spanish,
}

impl Language {
    /// The first of the two that `Accept-Language` names; English where it names neither.
    /// Weights are not compared: clients list what they like best first.
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let first = wanted.split(',').find_map(|range| match range.trim().get(..2) {
            Some("es") => Some(Language::Spanish),
            Some("en") => Some(Language::English),
            _ => None,
        });
        first.unwrap_or(Language::English)
    }
}

/// The usual title of a status.
pub(crate) fn title(status: StatusCode, language: Language) -> &'static str {
    let (english, spanish) = match status.as_u16() {
        400 => ("The request cannot be read", "La solicitud no se puede leer"),
        401 => ("Not signed in", "Sesión no iniciada"),
        403 => ("Not allowed", "No permitido"),
        404 => ("Not found", "No encontrado"),
        405 => ("Method not allowed", "Método no permitido"),
        409 => ("The state does not allow it", "El estado actual no lo permite"),
        412 => ("Changed in between", "Modificado entretanto"),
        413 => ("Too large", "Demasiado grande"),
        415 => ("Not this media type", "Tipo de contenido no admitido"),
        422 => ("The request is not valid", "La solicitud no es válida"),
        428 => ("Say which version you change", "Indique qué versión modifica"),
        429 => ("Too many requests", "Demasiadas solicitudes"),
        502 => ("Another service answered wrongly", "Otro servicio respondió mal"),
        503 => ("Not available just now", "No disponible en este momento"),
        504 => ("Another service did not answer", "Otro servicio no respondió"),
        508 => ("Passed on in a circle", "Reenviado en círculo"),
        _ => ("Something went wrong", "Algo ha fallado"),
    };
    match language {
        Language::English => english,
        Language::Spanish => spanish,
    }
}
